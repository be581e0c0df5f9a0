//! From one entry of a residual to one machine function: control flow.
//!
//! Regions become blocks in the order of the text. A pure node is computed where a region first needs it, and the
//! compiler shares and places it from there; an effect is computed where it stands.

use crate::{blob::Compiled, stubs::Stub, Error, Target};
use alloc::{format, vec, vec::Vec};
use cranelift_codegen::{
    control::ControlPlane,
    ir::{
        types::I64, AbiParam, Block, BlockArg, FuncRef, Function, InstBuilder, Signature,
        SourceLoc, Type, Value,
    },
    isa::{CallConv, TargetIsa},
    Context,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use graph::{traverse::resolve, Entry, Graph, Id, Op, RegionId, Residual};

/// Compiles the entries of one residual, collecting the stubs that they call.
pub(crate) struct Compiler<'a> {
    residual: &'a Residual,
    target: Target,
    hot: &'a dyn TargetIsa,
    cold: &'a dyn TargetIsa,
    context: FunctionBuilderContext,
    /// Kept from entry to entry: its tables have grown as large as they need to be.
    compilation: Option<Context>,
    stubs: Vec<Stub>,
    /// Whether to remember which step each instruction comes from.
    placed: bool,
    /// Whether anything uses the node's value.
    used: Vec<bool>,
    /// Upper bounds of the nodes' values.
    most: Vec<u64>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(
        residual: &'a Residual,
        target: Target,
        hot: &'a dyn TargetIsa,
        cold: &'a dyn TargetIsa,
        placed: bool,
    ) -> Compiler<'a> {
        let mut used = vec![false; residual.graph.nodes.len()];
        for op in &residual.graph.nodes {
            op.operands(|id| used[id as usize] = true);
        }
        Compiler {
            residual,
            target,
            hot,
            cold,
            context: FunctionBuilderContext::new(),
            compilation: None,
            stubs: Vec::new(),
            placed,
            used,
            most: graph::build::most(&residual.graph),
        }
    }

    pub(crate) fn stubs(&self) -> &[Stub] {
        &self.stubs
    }

    pub(crate) fn entry(&mut self, entry: &Entry) -> Result<Compiled, Error> {
        let mut signature = Signature::new(CallConv::SystemV);
        let words = 1 + entry.arguments as usize;
        signature.params.resize(words, AbiParam::new(I64));
        signature.returns.push(AbiParam::new(I64));
        let mut context = self.compilation.take().unwrap_or_else(Context::new);
        context.clear();
        context.func.signature = signature;
        let isa = match entry.seldom {
            true => self.cold,
            false => self.hot,
        };
        let names = self.body(entry, &mut context.func, isa)?;
        context
            .compile(isa, &mut ControlPlane::default())
            .map_err(|e| Error::Compile(format!("entry `{}`: {:?}", entry.name, e.inner)))?;
        let code = context
            .take_compiled_code()
            .ok_or_else(|| Error::Compile(format!("entry `{}`: nothing came", entry.name)))?;
        self.compilation = Some(context);
        Ok(Compiled { code, names })
    }

    fn body(
        &mut self,
        entry: &Entry,
        function: &mut Function,
        isa: &dyn TargetIsa,
    ) -> Result<Vec<usize>, Error> {
        let mut builder = FunctionBuilder::new(function, &mut self.context);
        let first = builder.create_block();
        builder.append_block_params_for_function_params(first);
        builder.switch_to_block(first);
        builder.seal_block(first);
        let params = builder.block_params(first).to_vec();
        let locals = (0..entry.locals)
            .map(|_| {
                let local = builder.declare_var(I64);
                let zero = builder.ins().iconst(I64, 0);
                builder.def_var(local, zero);
                local
            })
            .collect();
        let mut body = Body {
            builder,
            residual: self.residual,
            target: self.target,
            stubs: &mut self.stubs,
            placed: self.placed,
            used: &self.used,
            most: &self.most,
            context: params[0],
            arguments: params[1..].to_vec(),
            locals,
            values: vec![None; self.residual.graph.nodes.len()],
            made: Vec::new(),
            exits: Vec::new(),
            calls: Vec::new(),
            names: Vec::new(),
        };
        if body.region(entry.body)? {
            let ok = body.constant(abi::status::OK);
            body.builder.ins().return_(&[ok]);
        }
        body.builder.seal_all_blocks();
        let names = body.names;
        body.builder.finalize(isa.frontend_config());
        Ok(names)
    }
}

/// A function being built. `access` and `value` hold the rest of it.
pub(crate) struct Body<'a> {
    pub builder: FunctionBuilder<'a>,
    pub residual: &'a Residual,
    pub target: Target,
    pub stubs: &'a mut Vec<Stub>,
    placed: bool,
    pub used: &'a [bool],
    pub most: &'a [u64],
    pub context: Value,
    pub arguments: Vec<Value>,
    pub locals: Vec<Variable>,
    /// Values of nodes in the regions that are open.
    pub values: Vec<Option<Value>>,
    /// What to forget when a region ends: nothing behind it is dominated by it.
    made: Vec<Id>,
    exits: Vec<Exit>,
    /// Stubs that this function calls already.
    pub calls: Vec<(Stub, FuncRef)>,
    pub names: Vec<usize>,
}

/// Where a `Leave` goes.
struct Exit {
    block: Block,
    /// The value that the block expects with it.
    value: Option<u64>,
}

impl<'a> Body<'a> {
    pub(crate) fn graph(&self) -> &'a Graph {
        &self.residual.graph
    }

    pub(crate) fn constant(&mut self, value: u64) -> Value {
        self.builder.ins().iconst(I64, value as i64)
    }

    pub(crate) fn known(&self, id: Id) -> Option<u64> {
        match self.graph().nodes[id as usize] {
            Op::Const(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn value(&mut self, id: Id) -> Result<Value, Error> {
        resolve(self.graph(), id, self)?;
        self.values[id as usize].ok_or_else(|| Error::Invalid(format!("node {id} has no value")))
    }

    pub(crate) fn set(&mut self, id: Id, value: Value) {
        self.values[id as usize] = Some(value);
        self.made.push(id);
    }

    pub(crate) fn block_with(&mut self, params: &[Type]) -> (Block, Vec<Value>) {
        let block = self.builder.create_block();
        let values = params
            .iter()
            .map(|ty| self.builder.append_block_param(block, *ty))
            .collect();
        (block, values)
    }

    pub(crate) fn go(&mut self, block: Block) {
        self.builder.switch_to_block(block);
    }

    /// Emits a region's steps; false when control never comes to their end.
    fn region(&mut self, id: RegionId) -> Result<bool, Error> {
        let before = self.made.len();
        let open = self.steps(id)?;
        self.forget(before);
        Ok(open)
    }

    fn steps(&mut self, id: RegionId) -> Result<bool, Error> {
        let graph = self.graph();
        for &step in &graph.regions[id as usize].steps {
            if !self.step(step, &graph.nodes[step as usize])? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn forget(&mut self, before: usize) {
        for id in self.made.drain(before..) {
            self.values[id as usize] = None;
        }
    }

    /// What follows comes from this step.
    fn comes_from(&mut self, id: Id) {
        if self.placed {
            self.builder.set_srcloc(SourceLoc::new(id));
        }
    }

    fn step(&mut self, id: Id, op: &Op) -> Result<bool, Error> {
        self.comes_from(id);
        match *op {
            Op::If { cond, yes, no } => return self.choose(cond, yes, no),
            Op::Block(body) => return self.block(body),
            Op::Loop { most, body } => self.repeat(id, most, body)?,
            Op::Await { cond, value, ns } => self.wait(id, cond, value, ns)?,
            Op::Leave(n) => {
                self.leave(n);
                return Ok(false);
            }
            Op::Return(status) => {
                let status = self.value(status)?;
                self.builder.ins().return_(&[status]);
                return Ok(false);
            }
            Op::Local(n) => {
                let value = self.builder.use_var(self.locals[n as usize]);
                self.set(id, value);
            }
            Op::SetLocal(n, value) => {
                let value = self.value(value)?;
                self.builder.def_var(self.locals[n as usize], value);
            }
            ref op => {
                if let Some(value) = self.effect(op)? {
                    self.set(id, value);
                }
            }
        }
        Ok(true)
    }

    fn choose(&mut self, cond: Id, yes: RegionId, no: RegionId) -> Result<bool, Error> {
        let cond = self.condition(cond)?;
        let after = self.builder.create_block();
        let mut reached = false;
        let mut arms = Vec::new();
        for region in [yes, no] {
            if self.graph().regions[region as usize].steps.is_empty() {
                reached = true;
                arms.push(after);
                continue;
            }
            let arm = self.builder.create_block();
            if self.fails(region) {
                self.builder.set_cold_block(arm);
            }
            arms.push(arm);
        }
        self.builder.ins().brif(cond, arms[0], &[], arms[1], &[]);
        for (region, arm) in [(yes, arms[0]), (no, arms[1])] {
            if arm == after {
                continue;
            }
            self.builder.seal_block(arm);
            self.go(arm);
            if self.region(region)? {
                reached = true;
                self.builder.ins().jump(after, &[]);
            }
        }
        if reached {
            self.builder.seal_block(after);
            self.go(after);
        }
        Ok(reached)
    }

    /// Whether a region ends in a failure: rare, so its code stands apart.
    fn fails(&self, region: RegionId) -> bool {
        let last = self.graph().regions[region as usize].steps.last();
        match last.map(|id| &self.graph().nodes[*id as usize]) {
            Some(Op::Return(status)) => self.known(*status).is_some_and(|s| s >= abi::status::GONE),
            _ => false,
        }
    }

    fn block(&mut self, body: RegionId) -> Result<bool, Error> {
        let after = self.builder.create_block();
        self.exits.push(Exit {
            block: after,
            value: None,
        });
        if self.region(body)? {
            self.builder.ins().jump(after, &[]);
        }
        self.exits.pop();
        self.builder.seal_block(after);
        self.go(after);
        Ok(!self.builder.is_unreachable())
    }

    fn leave(&mut self, n: u8) {
        let exit = &self.exits[self.exits.len() - 1 - n as usize];
        let (block, value) = (exit.block, exit.value);
        let value = value.map(|value| BlockArg::Value(self.constant(value)));
        self.builder.ins().jump(block, value.as_slice());
    }

    /// Counts down, so that only the turns that are left must be kept.
    fn repeat(&mut self, id: Id, most: Id, body: RegionId) -> Result<(), Error> {
        let used = self.used[id as usize];
        let result: &[Type] = if used { &[I64] } else { &[] };
        let (head, left) = self.block_with(&[I64]);
        let (after, ended) = self.block_with(result);
        let bounded: Vec<BlockArg> = match used {
            true => vec![self.constant(1).into()],
            false => Vec::new(),
        };
        let turns = self.value(most)?;
        match self.known(most) {
            Some(1..) => self.builder.ins().jump(head, &[turns.into()]),
            _ => self
                .builder
                .ins()
                .brif(turns, head, &[turns.into()], after, &bounded),
        };
        self.go(head);
        self.exits.push(Exit {
            block: after,
            value: used.then_some(0),
        });
        let open = self.region(body)?;
        self.exits.pop();
        self.comes_from(id);
        if open {
            let one = self.constant(1);
            let left = self.builder.ins().isub(left[0], one);
            self.builder
                .ins()
                .brif(left, head, &[left.into()], after, &bounded);
        }
        self.builder.seal_block(head);
        self.builder.seal_block(after);
        self.go(after);
        if let Some(value) = ended.first() {
            self.set(id, *value);
        }
        Ok(())
    }

    /// Tests first and looks at the clock only when that failed (see [`Stub::Wait`]).
    fn wait(&mut self, id: Id, cond: RegionId, value: Id, ns: Id) -> Result<(), Error> {
        let ns = self.value(ns)?;
        let (zero, one) = (self.constant(0), self.constant(1));
        let (head, state) = self.block_with(&[I64]);
        let (after, ended) = self.block_with(&[I64]);
        let missed = self.builder.create_block();
        self.builder.ins().jump(head, &[zero.into()]);
        self.go(head);
        let before = self.made.len();
        let open = self.steps(cond)?;
        self.comes_from(id);
        if open {
            let met = self.condition(value)?;
            self.builder
                .ins()
                .brif(met, after, &[one.into()], missed, &[]);
        }
        self.forget(before);
        self.builder.seal_block(missed);
        self.go(missed);
        let look = self.stub(Stub::Wait, &[self.context, state[0], ns])?;
        let look = look.ok_or_else(|| Error::Compile("a wait without a value".into()))?;
        self.builder
            .ins()
            .brif(look, head, &[look.into()], after, &[zero.into()]);
        self.builder.seal_block(head);
        self.builder.seal_block(after);
        self.go(after);
        self.set(id, ended[0]);
        Ok(())
    }
}
