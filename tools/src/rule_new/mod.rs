//! `meta rule new`: the skeleton of a rule, from a register description or from nothing.

pub mod description;
mod preprocess;
pub mod rdl;
pub mod skeleton;
pub mod svd;
mod tokens;

use crate::rules;
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use clap::Args;
use description::{plain, Description};
use rulebook::tree::{Book, Class};
use skeleton::Bus;
use std::path::{Path, PathBuf};

/// Bytes of a register description that are read.
const MOST: u64 = 64 << 20;

#[derive(Debug, Args)]
pub struct NewArguments {
    /// What the rule is called: letters, digits and _
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What kind of device it is: rules/classes.rule says what each class asks for
    #[arg(long, value_name = "CLASS")]
    pub class: String,
    /// Where such a device stands; platform for a file, else pci
    #[arg(long, value_enum)]
    pub on: Option<Bus>,
    /// Take the registers from a description: CMSIS-SVD (.svd) or SystemRDL (.rdl)
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Which of several peripherals (or address maps) of that file
    #[arg(long, value_name = "NAME", requires = "from")]
    pub peripheral: Option<String>,
    /// Folder of rule files that it goes to, in a folder named after its class
    #[arg(long, value_name = "FOLDER")]
    pub rules: Option<PathBuf>,
    /// Print the text and write nothing
    #[arg(long)]
    pub print: bool,
}

/// Runs `meta rule new`.
///
/// # Errors
/// When there is no such class, the rule exists, or the description says what no rule can say.
pub fn run(workspace: &Workspace, arguments: &NewArguments) -> Result<()> {
    let folder = arguments
        .rules
        .clone()
        .unwrap_or_else(|| workspace.root.join("rules"));
    let book = rules::book(&folder)?;
    let class = class_of(&book, &arguments.class)?;
    let name = &arguments.name;
    if *name != plain(name) {
        bail!(
            "{name:?} cannot be a rule's name: letters, digits and _, such as {:?}",
            plain(name)
        );
    }
    if book.rules.iter().any(|rule| book.name(rule.name) == name) {
        bail!(
            "there is a rule {name} already; see it with: grep -rn 'rule {name}' {}",
            folder.display()
        );
    }
    let from = match &arguments.from {
        Some(file) => read(file, arguments.peripheral.as_deref())?,
        None => Description::default(),
    };
    let bus = arguments.on.unwrap_or(match arguments.from {
        Some(_) => Bus::Platform,
        None => Bus::Pci,
    });
    let text = skeleton::rule(&book, class, name, bus, &from);
    if arguments.print {
        crate::terminal::print(text.trim_end());
        return Ok(());
    }
    let path = folder.join(&arguments.class).join(format!("{name}.rule"));
    if path.exists() {
        bail!("{} is there already: it is not overwritten", path.display());
    }
    std::fs::create_dir_all(path.parent().unwrap_or(&folder))
        .and_then(|()| std::fs::write(&path, text))
        .with_context(|| format!("writing {}", path.display()))?;
    let shown = path.strip_prefix(&workspace.root).unwrap_or(&path);
    crate::terminal::print(format!(
        "{} is begun: {} registers, class {}\n`./meta rule check{}` says what is still to be written; until then no image is made",
        shown.display(),
        from.registers.len(),
        arguments.class,
        match &arguments.rules {
            Some(folder) => format!(" {}", folder.display()),
            None => String::new(),
        }
    ));
    Ok(())
}

fn class_of<'a>(book: &'a Book, name: &str) -> Result<&'a Class> {
    let mut names: Vec<&str> = book
        .classes
        .iter()
        .map(|class| book.name(class.name))
        .collect();
    names.sort_unstable();
    match book
        .classes
        .iter()
        .find(|class| book.name(class.name) == name)
    {
        Some(class) => Ok(class),
        None => bail!(
            "there is no class {name:?}; there are: {}",
            names.join(", ")
        ),
    }
}

/// Reads a register description; the file's ending says in which language.
///
/// # Errors
/// With file, line and column.
pub fn read(file: &Path, peripheral: Option<&str>) -> Result<Description> {
    let shown = file.display();
    let size = std::fs::metadata(file)
        .with_context(|| format!("reading {shown}"))?
        .len();
    if size > MOST {
        bail!("{shown} is larger than {} MiB", MOST >> 20);
    }
    let bytes = std::fs::read(file).with_context(|| format!("reading {shown}"))?;
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("{shown} is no text in UTF-8");
    };
    let ending = file
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let read = match ending {
        "svd" | "xml" => svd::read(&text, peripheral),
        "rdl" => rdl::read(&text, peripheral),
        _ => bail!("{shown} is neither .svd nor .rdl: nothing says which language it is in"),
    };
    read.map_err(|error| anyhow::anyhow!("{shown}:{error:#}"))
}
