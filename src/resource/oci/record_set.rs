//! Where a set of DNS records is: it has no OCID, and is known by its place before it is made.

use serde_json::{Map, Value, json};

/// One set: a zone, a name in it, a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Name or OCID of the zone.
    pub zone: String,
    /// The name.
    pub domain: String,
    /// `A`, `CNAME`.
    pub rtype: String,
    /// OCID of the view, of a private zone.
    pub view: Option<String>,
}

impl RecordSet {
    /// That of a `DnsRecords` document's spec; none where it does not say, or not yet.
    pub fn of(spec: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| spec.get(key)?.as_str().map(str::to_owned);
        Some(Self {
            zone: text("zoneNameOrId")?,
            domain: text("domain")?,
            rtype: text("rtype")?,
            view: text("viewId"),
        })
    }

    /// What it has in place of an OCID.
    pub fn uid(&self) -> String {
        json!([self.zone, self.domain, self.rtype, self.view]).to_string()
    }

    /// Reads what [`Self::uid`] wrote.
    pub fn parse(uid: &str) -> Option<Self> {
        let (zone, domain, rtype, view) = serde_json::from_str(uid).ok()?;
        Some(Self {
            zone,
            domain,
            rtype,
            view,
        })
    }

    /// The set that holds the mark of this one, at a name that nobody asks for otherwise.
    pub fn mark(&self) -> Self {
        Self {
            domain: format!("_fleetwright-{}.{}", self.rtype.to_ascii_lowercase(), self.domain),
            rtype: "TXT".to_owned(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_an_ocid_leads_back_to_the_set() {
        let spec = json!({"zoneNameOrId": "example.com", "domain": "api.example.com", "rtype": "A", "viewId": "v"});
        let set = RecordSet::of(spec.as_object().expect("an object")).expect("a set");
        assert_eq!(RecordSet::parse(&set.uid()), Some(set.clone()));
        assert_eq!(RecordSet::parse(&set.mark().uid()), Some(set.mark()));
        assert_eq!(RecordSet::parse("ocid1.vcn.oc1..a"), None);
        assert_eq!(RecordSet::of(&Map::new()), None);
    }
}
