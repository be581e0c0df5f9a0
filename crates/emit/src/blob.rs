//! Putting functions and stubs into one blob and resolving the calls between them.

use crate::{stubs::Stub, Code, Error, Target};
use alloc::{format, vec::Vec};
use cranelift_codegen::{
    binemit::Reloc, ir::ExternalName, CompiledCode, FinalizedMachReloc, FinalizedRelocTarget,
};

const ALIGN: usize = 16;

pub(crate) struct Blob {
    target: Target,
    code: Code,
    calls: Vec<Call>,
}

/// A call instruction whose distance is still to be filled in.
struct Call {
    at: usize,
    stub: usize,
    addend: i64,
}

impl Blob {
    pub(crate) fn new(target: Target) -> Blob {
        let code = Code {
            bytes: Vec::new(),
            entries: Vec::new(),
        };
        Blob {
            target,
            code,
            calls: Vec::new(),
        }
    }

    /// Appends a compiled entry; its constants stand behind its code in the same buffer. Gives its offset.
    pub(crate) fn function(&mut self, compiled: &Compiled) -> Result<u32, Error> {
        let at = self.append(compiled.code.code_buffer())?;
        let size = compiled.code.code_buffer().len() as u32;
        self.code.entries.push((at as u32, size));
        for reloc in compiled.code.buffer.relocs() {
            let call = self.call(at, reloc, &compiled.names)?;
            self.calls.push(call);
        }
        Ok(at as u32)
    }

    /// Appends an entry that gives this status, and nothing else.
    pub(crate) fn status(&mut self, status: u16) -> Result<(), Error> {
        let word = u32::from(status);
        let bytes: Vec<u8> = match self.target {
            // mov eax, status; ret
            Target::X86_64 => [0xb8]
                .into_iter()
                .chain(word.to_le_bytes())
                .chain([0xc3])
                .collect(),
            // movz x0, #status; ret
            Target::Aarch64 => [0xd280_0000 | word << 5, 0xd65f_03c0]
                .into_iter()
                .flat_map(u32::to_le_bytes)
                .collect(),
        };
        let at = self.append(&bytes)?;
        self.code.entries.push((at as u32, bytes.len() as u32));
        Ok(())
    }

    /// The next entry does what this one does.
    pub(crate) fn again(&mut self, entry: usize) {
        self.code
            .entries
            .extend(self.code.entries.get(entry).copied());
    }

    /// Appends the stubs and fills in the calls.
    pub(crate) fn finish(mut self, stubs: &[Stub]) -> Result<Code, Error> {
        let mut places = Vec::new();
        for stub in stubs {
            let bytes = stub.bytes(self.target)?;
            places.push(self.append(&bytes)?);
        }
        for call in core::mem::take(&mut self.calls) {
            let to = places.get(call.stub).copied().ok_or_else(|| {
                Error::Relocation(format!("stub {} of {}", call.stub, places.len()))
            })?;
            self.fill(&call, to)?;
        }
        Ok(self.code)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        // int3, and on arm64 the permanently undefined word: nobody runs into the gap.
        let gap = match self.target {
            Target::X86_64 => 0xcc,
            Target::Aarch64 => 0,
        };
        let at = self.code.bytes.len().next_multiple_of(ALIGN);
        self.code.bytes.resize(at, gap);
        self.code.bytes.extend_from_slice(bytes);
        match u32::try_from(self.code.bytes.len()) {
            Ok(len) if len < 1 << 27 => Ok(at),
            _ => Err(Error::Compile(
                "the code is larger than a call reaches".into(),
            )),
        }
    }

    fn call(
        &self,
        base: usize,
        reloc: &FinalizedMachReloc,
        names: &[usize],
    ) -> Result<Call, Error> {
        let wanted = match self.target {
            Target::X86_64 => Reloc::X86CallPCRel4,
            Target::Aarch64 => Reloc::Arm64Call,
        };
        let stub = match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                names.get(name.as_u32() as usize)
            }
            _ => None,
        };
        match stub {
            Some(&stub) if reloc.kind == wanted => Ok(Call {
                at: base + reloc.offset as usize,
                stub,
                addend: reloc.addend,
            }),
            _ => Err(Error::Relocation(format!(
                "{:?} to {:?}",
                reloc.kind, reloc.target
            ))),
        }
    }

    fn fill(&mut self, call: &Call, to: usize) -> Result<(), Error> {
        let distance = to as i64 + call.addend - call.at as i64;
        let outside = || Error::Relocation(format!("a call at {:#x}", call.at));
        let field = self
            .code
            .bytes
            .get_mut(call.at..call.at + 4)
            .and_then(|bytes| <&mut [u8; 4]>::try_from(bytes).ok())
            .ok_or_else(outside)?;
        match self.target {
            Target::X86_64 => {
                *field = i32::try_from(distance)
                    .map_err(|_| outside())?
                    .to_le_bytes();
            }
            // BL: 26 bits, counted in words.
            Target::Aarch64 => {
                let word = u32::from_le_bytes(*field) & !0x03ff_ffff;
                let words = (distance >> 2) as u32 & 0x03ff_ffff;
                *field = (word | words).to_le_bytes();
            }
        }
        Ok(())
    }
}

/// What the compiler made of one entry.
pub(crate) struct Compiled {
    pub code: CompiledCode,
    /// For every external name of the function, in order, the stub that it means.
    pub names: Vec<usize>,
}
