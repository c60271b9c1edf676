//! Circles among the references between files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};

use super::edges::Edges;

/// Files that refer to each other in a circle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Circle {
    /// The files in the order of the references. The last one refers to the first one.
    pub files: Vec<PathBuf>,
    /// The paths by which each file refers to the next one.
    pub paths: Vec<BTreeSet<String>>,
}

/// Returns, for each reference that is part of a circle, the shortest such circle.
pub fn circles(edges: &Edges) -> BTreeSet<Circle> {
    let mut circles = BTreeSet::new();
    for (from, targets) in edges {
        for to in targets.keys() {
            if let Some(way) = shortest_way(edges, to, from) {
                circles.insert(Circle::new(edges, way));
            }
        }
    }
    circles
}

impl Circle {
    fn new(edges: &Edges, mut files: Vec<PathBuf>) -> Self {
        // The same circle can be found from each of its files.
        let first = (0..files.len()).min_by_key(|at| &files[*at]);
        files.rotate_left(first.unwrap_or_default());
        let next = files.iter().cycle().skip(1);
        let paths = files
            .iter()
            .zip(next)
            .map(|(from, to)| edges[from][to].clone());
        Self {
            paths: paths.collect(),
            files,
        }
    }
}

/// `a.rs -> b.rs -> a.rs`, and a line for each reference.
impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            write!(f, "{} -> ", file.display())?;
        }
        write!(f, "{}", self.files[0].display())?;
        for (file, paths) in self.files.iter().zip(&self.paths) {
            let mut paths = named_in_full(paths);
            if paths.len() > MAX_SHOWN {
                paths.truncate(MAX_SHOWN);
                paths.push("…");
            }
            write!(f, "\n    {}: {}", file.display(), paths.join(", "))?;
        }
        Ok(())
    }
}

/// The number of paths that are shown for a reference.
const MAX_SHOWN: usize = 5;

/// Returns the paths that begin in the crate, or all paths if none does. The others mostly begin with
/// names that these import.
fn named_in_full(paths: &BTreeSet<String>) -> Vec<&str> {
    let begins_in_crate = |path: &&str| {
        let (first, _) = path.split_once("::").unwrap_or_default();
        ["crate", "self", "super"].contains(&first)
    };
    let all = paths.iter().map(String::as_str);
    let full: Vec<_> = all.clone().filter(begins_in_crate).collect();
    match full.is_empty() {
        true => all.collect(),
        false => full,
    }
}

/// Returns the files on the shortest way, with both ends, or `None` if there is no way.
fn shortest_way(edges: &Edges, from: &Path, to: &Path) -> Option<Vec<PathBuf>> {
    let mut predecessors: BTreeMap<&Path, Option<&Path>> = [(from, None)].into();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        if file == to {
            let way = std::iter::successors(Some(file), |file| predecessors[file]);
            let mut way: Vec<_> = way.map(Path::to_owned).collect();
            way.reverse();
            return Some(way);
        }
        for next in edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            if !predecessors.contains_key(next.as_path()) {
                predecessors.insert(next, Some(file));
                queue.push_back(next);
            }
        }
    }
    None
}
