//! The names that kinds have in paths and in rules, without asking a server for them.

/// Kinds whose plural follows no rule.
const IRREGULAR: [(&str, &str); 2] = [
    ("Endpoints", "endpoints"),
    ("SecurityContextConstraints", "securitycontextconstraints"),
];

/// The resource of a kind: `NodePool` → `nodepools`. A CRD may name its resource as it likes; hardly any takes another one
/// than this.
pub fn plural(kind: &str) -> String {
    if let Some((_, plural)) = IRREGULAR.iter().find(|(name, _)| *name == kind) {
        return (*plural).to_owned();
    }
    let mut word = kind.to_lowercase();
    let after_vowel = |word: &str| word.ends_with(['a', 'e', 'i', 'o', 'u']);
    if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        word.push_str("es");
    } else if let Some(stem) = word.strip_suffix('y').filter(|stem| !after_vowel(stem)) {
        word = format!("{stem}ies");
    } else {
        word.push('s');
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_those_that_servers_use() {
        for (kind, expected) in [
            ("NodePool", "nodepools"),
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("PriorityClass", "priorityclasses"),
            ("Ingress", "ingresses"),
            ("Endpoints", "endpoints"),
            ("OCIClusterIdentity", "ociclusteridentities"),
        ] {
            assert_eq!(plural(kind), expected);
        }
    }
}
