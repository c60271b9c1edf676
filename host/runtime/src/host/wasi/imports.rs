//! The packages of WASI that the host offers.

/// True if an import belongs to a package of WASI 0.2 that the host offers.
pub(crate) fn is_offered(import: &str) -> bool {
    PACKAGES.iter().any(|package| {
        let interface = import
            .strip_prefix(package)
            .and_then(|rest| rest.strip_prefix('/'));
        interface.is_some_and(|interface| interface.contains("@0.2."))
    })
}

const PACKAGES: [&str; 6] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_wasi_0_2_are_offered() {
        let table = [
            ("wasi:cli/stdout@0.2.0", true),
            ("wasi:sockets/tcp@0.2.12", true),
            ("wasi:cli/stdout@0.3.0", false),
            ("wasi:http/types@0.2.0", false),
            ("wasi:clicks/stdout@0.2.0", false),
            ("postgate:plugin/log@0.1.0", false),
        ];
        for (import, expected) in table {
            assert_eq!(is_offered(import), expected, "{import}");
        }
    }
}
