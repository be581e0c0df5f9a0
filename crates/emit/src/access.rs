//! Accesses to everything outside the function: device, memory, barriers, upcalls, the clock.
//!
//! The compiler has no volatile access: it merges or drops accesses to one address that look the same. A sequence
//! point on both sides of a plain access keeps every one of them, in order, and costs no bytes. Whatever a device can
//! see goes through [`Body::kept_load`] and [`Body::kept_store`], and nothing else does.

use crate::{
    function::Body,
    stubs::{system_register, Stub},
    Error, Target,
};
use abi::context::offset;
use alloc::vec::Vec;
use cranelift_codegen::{
    ir::{
        types::I64, AbiParam, ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData,
        Signature, UserExternalName, Value,
    },
    isa::CallConv,
};
use graph::{Fence, Id, Op, Space, Width, WindowKind};

/// An address as base and constant offset.
struct Place {
    base: Value,
    offset: i32,
}

impl Body<'_> {
    /// Steps without regions. Gives the value of those that have one.
    pub(crate) fn effect(&mut self, op: &Op) -> Result<Option<Value>, Error> {
        match *op {
            Op::Read { window, at, width } => self.read(window, at, width).map(Some),
            Op::Load { space, at, width } => self.load(space, at, width).map(Some),
            Op::Clock => Ok(Some(self.clock())),
            Op::Up { which, ref args } => self.up(which, args).map(Some),
            Op::Firmware { conduit, args } => {
                let args = args
                    .iter()
                    .map(|id| self.value(*id))
                    .collect::<Result<Vec<_>, _>>()?;
                self.stub(Stub::Firmware(conduit), &args)
            }
            ref op => self.silent(op).map(|_| None),
        }
    }

    fn silent(&mut self, op: &Op) -> Result<(), Error> {
        match *op {
            Op::Write {
                window,
                at,
                width,
                value,
            } => self.write(window, at, width, value),
            Op::Store {
                space,
                at,
                width,
                value,
            } => self.store(space, at, width, value),
            Op::Fence(fence) => self.fence(fence),
            Op::Pause(ns) => {
                let ns = self.value(ns)?;
                let pause = self.fixed(offset::PAUSE);
                self.indirect(pause, &[self.context, ns], false);
                Ok(())
            }
            Op::Result(n, value) => {
                let value = self.value(value)?;
                let at = offset::RESULTS + 8 * n as i32;
                let flags = MemFlagsData::trusted();
                self.builder.ins().store(flags, value, self.context, at);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn kept_load(&mut self, width: Width, place: Place) -> Value {
        self.builder.ins().sequence_point();
        let value = self.plain_load(width, MemFlagsData::new(), place);
        self.builder.ins().sequence_point();
        value
    }

    fn kept_store(&mut self, width: Width, value: Value, place: Place) {
        self.builder.ins().sequence_point();
        self.plain_store(width, MemFlagsData::new(), value, place);
        self.builder.ins().sequence_point();
    }

    fn plain_load(&mut self, width: Width, flags: MemFlagsData, place: Place) -> Value {
        let Place { base, offset } = place;
        let ins = self.builder.ins();
        match width {
            Width::B8 => ins.uload8(I64, flags, base, offset),
            Width::B16 => ins.uload16(I64, flags, base, offset),
            Width::B32 => ins.uload32(flags, base, offset),
            Width::B64 => ins.load(I64, flags, base, offset),
        }
    }

    fn plain_store(&mut self, width: Width, flags: MemFlagsData, value: Value, place: Place) {
        let Place { base, offset } = place;
        let ins = self.builder.ins();
        match width {
            Width::B8 => ins.istore8(flags, value, base, offset),
            Width::B16 => ins.istore16(flags, value, base, offset),
            Width::B32 => ins.istore32(flags, value, base, offset),
            Width::B64 => ins.store(flags, value, base, offset),
        };
    }

    fn place(&mut self, base: Value, at: Id) -> Result<Place, Error> {
        if let Some(offset) = self.known(at).and_then(|at| i32::try_from(at).ok()) {
            return Ok(Place { base, offset });
        }
        let at = self.value(at)?;
        let base = self.builder.ins().iadd(base, at);
        Ok(Place { base, offset: 0 })
    }

    fn space(&mut self, space: Space, at: Id) -> Result<Place, Error> {
        let base = self.fixed(match space {
            Space::State => offset::STATE,
            Space::Arena => offset::ARENA,
            Space::Pool => offset::POOL,
        });
        self.place(base, at)
    }

    fn load(&mut self, space: Space, at: Id, width: Width) -> Result<Value, Error> {
        let place = self.space(space, at)?;
        Ok(match space {
            Space::State => self.plain_load(width, MemFlagsData::new().with_notrap(), place),
            Space::Arena | Space::Pool => self.kept_load(width, place),
        })
    }

    fn store(&mut self, space: Space, at: Id, width: Width, value: Id) -> Result<(), Error> {
        let value = self.value(value)?;
        let place = self.space(space, at)?;
        match space {
            Space::State => {
                self.plain_store(width, MemFlagsData::new().with_notrap(), value, place)
            }
            Space::Arena | Space::Pool => self.kept_store(width, value, place),
        }
        Ok(())
    }

    fn window(&mut self, window: u8) -> Value {
        self.fixed(offset::WINDOWS + 8 * window as i32)
    }

    fn port(&mut self, window: u8, at: Id) -> Result<Value, Error> {
        let first = self.window(window);
        let at = self.value(at)?;
        Ok(self.builder.ins().iadd(first, at))
    }

    fn number(&self, at: Id) -> Result<u16, Error> {
        system_register(self.known(at).unwrap_or(u64::MAX))
    }

    fn read(&mut self, window: u8, at: Id, width: Width) -> Result<Value, Error> {
        let value = match self.residual.windows[window as usize].kind {
            WindowKind::Memory => {
                let base = self.window(window);
                let place = self.place(base, at)?;
                Some(self.kept_load(width, place))
            }
            WindowKind::Port => {
                let port = self.port(window, at)?;
                self.stub(Stub::PortIn(width), &[port])?
            }
            WindowKind::Model => {
                let number = self.value(at)?;
                self.stub(Stub::ModelRead, &[number])?
            }
            WindowKind::System => self.stub(Stub::SystemRead(self.number(at)?), &[])?,
        };
        value.ok_or_else(|| Error::Compile("a read without a value".into()))
    }

    fn write(&mut self, window: u8, at: Id, width: Width, value: Id) -> Result<(), Error> {
        let value = self.value(value)?;
        match self.residual.windows[window as usize].kind {
            WindowKind::Memory => {
                let base = self.window(window);
                let place = self.place(base, at)?;
                self.kept_store(width, value, place);
            }
            WindowKind::Port => {
                let port = self.port(window, at)?;
                self.stub(Stub::PortOut(width), &[port, value])?;
            }
            WindowKind::Model => {
                let number = self.value(at)?;
                self.stub(Stub::ModelWrite, &[number, value])?;
            }
            WindowKind::System => {
                self.stub(Stub::SystemWrite(self.number(at)?), &[value])?;
            }
        }
        Ok(())
    }

    /// x86 keeps stores in order and loads in order (SDM 3A, 8.2): there, only the compiler must be held, and only
    /// `Full` needs an instruction.
    fn fence(&mut self, fence: Fence) -> Result<(), Error> {
        self.builder.ins().sequence_point();
        match (self.target, fence) {
            (Target::X86_64, Fence::Publish | Fence::Acquire) => {}
            (Target::X86_64, Fence::Full) => {
                self.builder.ins().fence();
            }
            (Target::Aarch64, Fence::Publish) => {
                self.stub(Stub::BarrierStores, &[])?;
            }
            (Target::Aarch64, Fence::Acquire) => {
                self.stub(Stub::BarrierLoads, &[])?;
            }
            (Target::Aarch64, Fence::Full) => {
                self.stub(Stub::BarrierAll, &[])?;
            }
        }
        self.builder.ins().sequence_point();
        Ok(())
    }

    pub(crate) fn clock(&mut self) -> Value {
        let clock = self.fixed(offset::CLOCK);
        let value = self.indirect(clock, &[self.context], true);
        value.unwrap_or(self.context)
    }

    fn up(&mut self, which: u8, args: &[Id]) -> Result<Value, Error> {
        let mut words = Vec::with_capacity(5);
        words.push(self.context);
        for arg in args {
            words.push(self.value(*arg)?);
        }
        while words.len() < 5 {
            words.push(self.constant(0));
        }
        let table = self.fixed(offset::UPCALLS);
        let flags = MemFlagsData::trusted().with_readonly().with_can_move();
        let callee = self.builder.ins().load(I64, flags, table, 8 * which as i32);
        let value = self.indirect(callee, &words, true);
        value.ok_or_else(|| Error::Compile("an upcall without a value".into()))
    }

    fn signature(words: usize, value: bool) -> Signature {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.resize(words, AbiParam::new(I64));
        if value {
            signature.returns.push(AbiParam::new(I64));
        }
        signature
    }

    fn indirect(&mut self, callee: Value, words: &[Value], value: bool) -> Option<Value> {
        let signature = Self::signature(words.len(), value);
        let signature = self.builder.import_signature(signature);
        let call = self.builder.ins().call_indirect(signature, callee, words);
        self.builder.inst_results(call).first().copied()
    }

    pub(crate) fn stub(&mut self, stub: Stub, words: &[Value]) -> Result<Option<Value>, Error> {
        // Says at once what the target does not have.
        stub.bytes(self.target)?;
        let callee = self.callee(stub);
        let call = self.builder.ins().call(callee, words);
        Ok(self.builder.inst_results(call).first().copied())
    }

    fn callee(&mut self, stub: Stub) -> FuncRef {
        if let Some((_, callee)) = self.calls.iter().find(|(known, _)| *known == stub) {
            return *callee;
        }
        let index = match self.stubs.iter().position(|known| *known == stub) {
            Some(index) => index,
            None => {
                self.stubs.push(stub);
                self.stubs.len() - 1
            }
        };
        let (words, value) = stub.shape();
        let signature = self.builder.import_signature(Self::signature(words, value));
        let name = UserExternalName::new(0, index as u32);
        let name = self.builder.func.declare_imported_user_function(name);
        // Names are numbered in the order in which they are declared.
        self.names.push(index);
        let callee = self.builder.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        });
        self.calls.push((stub, callee));
        callee
    }
}
