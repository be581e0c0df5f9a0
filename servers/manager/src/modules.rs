//! The boot modules, mapped where `abi::layout` says.

use crate::trouble::{Context, Trouble};
use abi::boot::{BootInfo, ModuleKind};
use abi::layout;
use abi::system::{root, Handle};
use manager::pack::Program;
use runtime::{memory, sys};

/// A module: its right and its bytes' number.
#[derive(Clone, Copy)]
pub struct Module {
    pub right: Handle,
    /// Bytes in use; the memory object is whole pages.
    pub size: u64,
    number: u64,
}

impl Module {
    /// The first of this kind.
    pub fn find(boot: &BootInfo, kind: ModuleKind) -> Option<Module> {
        let count = boot.module_count as usize;
        let modules = boot.modules.iter().take(count).enumerate();
        modules
            .filter(|(_, module)| module.kind == kind as u32 && module.size > 0)
            .map(|(number, module)| Module {
                right: root::MODULE_0 + number as u32,
                size: module.size,
                number: number as u64,
            })
            .next()
    }

    pub fn pages(&self) -> u64 {
        self.size.next_multiple_of(layout::PAGE)
    }

    /// Its bytes, mapped here at `address` from now on.
    pub fn read_at(&self, address: u64) -> Result<&'static [u8], Trouble> {
        sys::memory_map(root::SELF, self.right, 0, self.pages(), address, 0)
            .because("mapping a boot module")?;
        Ok(memory::region(address, self.size as usize))
    }
}

/// A program that tasks are made of.
#[derive(Clone, Copy)]
pub struct Image {
    pub module: Module,
    pub program: Program<'static>,
}

impl Image {
    pub fn of(module: Module) -> Result<Image, Trouble> {
        if module.size > layout::MODULE_STRIDE {
            return Err(Trouble::new("a program is larger than the room for it"));
        }
        let address = layout::MODULES + module.number * layout::MODULE_STRIDE;
        let bytes = module.read_at(address)?;
        let program = Program::read(bytes)
            .map_err(|_| Trouble::new("a module that should be a packed program is not one"))?;
        Ok(Image { module, program })
    }
}
