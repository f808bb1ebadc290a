//! The layers of this crate: a module imports from, and calls methods of, lower modules only.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tree that cannot be read is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, Fields, ImplItem, Item, ItemImpl, ItemUse, Member, Type, UseTree};

/// The folders of `src` from the ground up, as ARCHITECTURE.md draws them. A new one takes its place here.
const LAYERS: [&str; 23] = [
    "base", "model", "realm", "floor", "records", "gate", "limit", "recorder", "changes", "mode", "retrieve", "leaked",
    "logs", "uses", "incident", "examine", "vault", "verbs", "mask", "opening", "backup", "fuzzing", "lib",
];

/// The most modules that may depend on each other in a circle.
const CIRCLE_MAX: usize = 4;

/// A module's path in `src`, without `.rs` or `/mod.rs`: `gate/authorize`.
type Module = String;

/// The struct whose fields name the parts of a vault.
const COMPOSITION: (&str, &str) = ("vault", "Inner");

/// The module in which a session gives its handles.
const HANDLES: &str = "vault/handles";

#[derive(Default)]
struct Tree {
    modules: BTreeMap<Module, syn::File>,
    /// The type of each field and variable that is a part: `records` for `Records`.
    parts: BTreeMap<String, String>,
    /// The type of each handle of a session: `KeyVerbs` for `keys`.
    handles: BTreeMap<String, String>,
    /// The module in which a method of a part or a handle is.
    owners: BTreeMap<(String, String), Module>,
}

/// The modules that each module depends on, with the items that it takes from them.
type Arrows = BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>;

impl Tree {
    fn read(src: &Path) -> Self {
        let mut tree = Tree::default();
        let mut tests = BTreeSet::new();
        for path in sources(src) {
            let name = path.strip_prefix(src).unwrap().with_extension("");
            let name = name.to_string_lossy().replace('\\', "/");
            let name = name.strip_suffix("/mod").unwrap_or(&name).to_owned();
            if name.ends_with("tests") || name.contains("/tests/") {
                continue;
            }
            let mut file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            for item in file.items.extract_if(.., |item| is_test(attributes(item))) {
                if let Item::Mod(module) = item {
                    tests.insert(format!("{}/{}", name.trim_end_matches("lib"), module.ident));
                }
            }
            tree.modules.insert(name, file);
        }
        tree.modules
            .retain(|name, _| !tests.contains(name) && !tests.contains(&format!("/{name}")));
        tree.find_parts();
        tree.find_owners();
        tree
    }

    fn find_parts(&mut self) {
        let (module, composed) = COMPOSITION;
        for item in &self.modules[module].items {
            let Item::Struct(found) = item else { continue };
            let Fields::Named(fields) = &found.fields else { continue };
            if found.ident != composed {
                continue;
            }
            for field in &fields.named {
                let name = field.ident.as_ref().unwrap().to_string();
                self.parts.insert(name, innermost(&field.ty));
            }
        }
        assert!(self.parts.len() > 5, "`{composed}` is not where its parts are");
        for (name, part) in [("inner", composed), ("session", "Session"), ("floors", "Floors")] {
            self.parts.insert(name.to_owned(), part.to_owned());
        }
        for item in &self.modules[HANDLES].items {
            let Item::Impl(block) = item else { continue };
            for item in &block.items {
                let ImplItem::Fn(method) = item else { continue };
                if let syn::ReturnType::Type(_, handle) = &method.sig.output {
                    self.handles.insert(method.sig.ident.to_string(), innermost(handle));
                }
            }
        }
        assert!(self.handles.len() > 5, "`{HANDLES}` is not where the handles are");
    }

    fn find_owners(&mut self) {
        let parts: BTreeSet<&String> = self.parts.values().chain(self.handles.values()).collect();
        for (module, file) in &self.modules {
            for item in &file.items {
                let Item::Impl(block) = item else { continue };
                let owner = innermost(&block.self_ty);
                if block.trait_.is_some() || !parts.contains(&owner) {
                    continue;
                }
                for item in &block.items {
                    if let ImplItem::Fn(method) = item {
                        let name = (owner.clone(), method.sig.ident.to_string());
                        self.owners.insert(name, module.clone());
                    }
                }
            }
        }
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, file) in &self.modules {
            let mut finder = Finder {
                tree: self,
                module,
                owner: None,
                found: BTreeMap::new(),
            };
            finder.visit_file(file);
            finder.found.remove(module);
            arrows.insert(module.clone(), finder.found);
        }
        arrows
    }

    /// The module that a path of names leads into, and the first name in it.
    fn module_of(&self, path: &[String]) -> Option<(Module, String)> {
        let mut known = None;
        for end in 1..=path.len() {
            let name = path[..end].join("/");
            if self.modules.contains_key(&name) {
                known = Some((name, path.get(end).cloned().unwrap_or_default()));
            }
        }
        known
    }
}

struct Finder<'t> {
    tree: &'t Tree,
    module: &'t str,
    /// The type whose methods are read.
    owner: Option<String>,
    found: BTreeMap<Module, BTreeSet<String>>,
}

impl Finder<'_> {
    fn add(&mut self, module: Module, what: String) {
        self.found.entry(module).or_default().insert(what);
    }

    /// Follows a path that begins in this crate.
    fn follow(&mut self, names: &[String]) {
        let mut path: Vec<String> = self.module.split('/').map(str::to_owned).collect();
        let rest = match names.first().map(String::as_str) {
            Some("crate") => {
                path.clear();
                &names[1..]
            }
            Some("self") => &names[1..],
            Some("super") => {
                let up = names.iter().take_while(|name| *name == "super").count();
                path.truncate(path.len().saturating_sub(up));
                &names[up..]
            }
            _ => return,
        };
        path.extend(rest.iter().cloned());
        if let Some((module, what)) = self.tree.module_of(&path) {
            self.add(module, what);
        }
    }

    fn follow_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.follow_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.follow(&with(&name.ident)),
            UseTree::Rename(name) => self.follow(&with(&name.ident)),
            UseTree::Glob(_) => self.follow(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.follow_tree(before, tree)),
        }
    }

    /// Returns the part that an expression is.
    fn part(&self, receiver: &Expr) -> Option<String> {
        match receiver {
            Expr::Path(path) => {
                let name = path.path.get_ident()?.to_string();
                match name.as_str() {
                    "self" => self.owner.clone(),
                    _ => self.tree.parts.get(&name).cloned(),
                }
            }
            Expr::Field(field) => match &field.member {
                Member::Named(name) => self.tree.parts.get(&name.to_string()).cloned(),
                Member::Unnamed(_) => None,
            },
            Expr::MethodCall(call) => self.tree.handles.get(&call.method.to_string()).cloned(),
            Expr::Reference(inner) => self.part(&inner.expr),
            Expr::Paren(inner) => self.part(&inner.expr),
            _ => None,
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.follow_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if names.len() > 1 {
            self.follow(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        self.owner = Some(innermost(&block.self_ty));
        visit::visit_item_impl(self, block);
        self.owner = None;
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let method = call.method.to_string();
        let owner = self.part(&call.receiver);
        let module = owner.and_then(|owner| self.tree.owners.get(&(owner, method.clone())));
        if let Some(module) = module {
            self.add(module.clone(), format!(".{method}()"));
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// The name of a type, or of the type that an `Arc` of it holds.
fn innermost(of: &Type) -> String {
    let Type::Path(path) = of else { return String::new() };
    let Some(last) = path.path.segments.last() else {
        return String::new();
    };
    match &last.arguments {
        syn::PathArguments::AngleBracketed(inner) if last.ident == "Arc" => match inner.args.first() {
            Some(syn::GenericArgument::Type(of)) => innermost(of),
            _ => String::new(),
        },
        _ => last.ident.to_string(),
    }
}

fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let of_test = |list: &syn::MetaList| list.tokens.to_string().contains("test");
        attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok_and(of_test)
    })
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

fn layer(module: &str) -> usize {
    let folder = module.split('/').next().unwrap_or(module);
    let known = LAYERS.iter().position(|layer| *layer == folder);
    known.unwrap_or_else(|| panic!("`{folder}` has no place among the layers"))
}

fn tree() -> Tree {
    Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// The modules that can be reached from one along the arrows.
fn reached(arrows: &Arrows, from: &str) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(module) = open.pop() {
        for next in arrows.get(&module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}

#[test]
fn no_module_depends_on_a_layer_above_its_own() {
    let tree = tree();
    let mut upward = Vec::new();
    for (from, to) in tree.arrows() {
        for (to, what) in to {
            if layer(&to) > layer(&from) {
                upward.push(format!("{from} -> {to}: {what:?}"));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn no_circle_has_more_than_four_modules() {
    let arrows = tree().arrows();
    let reach: BTreeMap<&Module, BTreeSet<Module>> = arrows.keys().map(|from| (from, reached(&arrows, from))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reach {
        let circle: BTreeSet<&Module> = to.iter().filter(|to| reach[to].contains(*from)).collect();
        if circle.len() > CIRCLE_MAX {
            circles.insert(circle);
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn a_retrieval_reaches_no_verb_and_nothing_that_is_counted_or_reviewed() {
    let reached = reached(&tree().arrows(), "retrieve");
    let above: Vec<&Module> = reached
        .iter()
        .filter(|module| layer(module) > layer("retrieve"))
        .collect();
    assert!(above.is_empty(), "{above:?}");
    let layers: BTreeSet<usize> = reached.iter().map(|module| layer(module)).collect();
    assert!(layers.len() <= layer("retrieve") + 1);
}
