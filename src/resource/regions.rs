//! OCI's regions: id, the short key that OCIDs of the oldest ones carry, and realm.
//!
//! Invariant: data only.

/// One region.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) id: &'static str,
    pub(crate) key: &'static str,
    pub(crate) realm: &'static str,
}

const fn region(id: &'static str, key: &'static str, realm: &'static str) -> Region {
    Region { id, key, realm }
}

/// The region of that id or key.
pub(crate) fn find(word: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.id == word || region.key == word)
}

/// The second-level domain of a realm's endpoints; none for a realm that isn't known.
pub(crate) fn domain(realm: &str) -> Option<&'static str> {
    DOMAINS
        .iter()
        .find(|(known, _)| *known == realm)
        .map(|(_, domain)| *domain)
}

/// Every known region.
pub(crate) fn all() -> impl Iterator<Item = &'static Region> {
    REGIONS.iter()
}

/// Every known region's id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|region| region.id)
}

const REGIONS: &[Region] = &[
    region("af-casablanca-1", "lej", "oc1"),
    region("af-johannesburg-1", "jnb", "oc1"),
    region("ap-batam-1", "hsg", "oc1"),
    region("ap-chuncheon-1", "yny", "oc1"),
    region("ap-delhi-1", "onm", "oc1"),
    region("ap-hyderabad-1", "hyd", "oc1"),
    region("ap-kulai-2", "jbp", "oc1"),
    region("ap-melbourne-1", "mel", "oc1"),
    region("ap-mumbai-1", "bom", "oc1"),
    region("ap-osaka-1", "kix", "oc1"),
    region("ap-seoul-1", "icn", "oc1"),
    region("ap-singapore-1", "sin", "oc1"),
    region("ap-singapore-2", "xsp", "oc1"),
    region("ap-sydney-1", "syd", "oc1"),
    region("ap-tokyo-1", "nrt", "oc1"),
    region("ca-montreal-1", "yul", "oc1"),
    region("ca-toronto-1", "yyz", "oc1"),
    region("eu-amsterdam-1", "ams", "oc1"),
    region("eu-frankfurt-1", "fra", "oc1"),
    region("eu-madrid-1", "mad", "oc1"),
    region("eu-madrid-3", "orf", "oc1"),
    region("eu-marseille-1", "mrs", "oc1"),
    region("eu-milan-1", "lin", "oc1"),
    region("eu-paris-1", "cdg", "oc1"),
    region("eu-stockholm-1", "arn", "oc1"),
    region("eu-turin-1", "nrq", "oc1"),
    region("eu-zurich-1", "zrh", "oc1"),
    region("il-jerusalem-1", "mtz", "oc1"),
    region("me-abudhabi-1", "auh", "oc1"),
    region("me-dubai-1", "dxb", "oc1"),
    region("me-jeddah-1", "jed", "oc1"),
    region("me-riyadh-1", "ruh", "oc1"),
    region("mx-monterrey-1", "mty", "oc1"),
    region("mx-queretaro-1", "qro", "oc1"),
    region("sa-bogota-1", "bog", "oc1"),
    region("sa-santiago-1", "scl", "oc1"),
    region("sa-saopaulo-1", "gru", "oc1"),
    region("sa-valparaiso-1", "vap", "oc1"),
    region("sa-vinhedo-1", "vcp", "oc1"),
    region("uk-cardiff-1", "cwl", "oc1"),
    region("uk-london-1", "lhr", "oc1"),
    region("us-ashburn-1", "iad", "oc1"),
    region("us-chicago-1", "ord", "oc1"),
    region("us-phoenix-1", "phx", "oc1"),
    region("us-saltlake-2", "aga", "oc1"),
    region("us-sanjose-1", "sjc", "oc1"),
    region("us-langley-1", "lfi", "oc2"),
    region("us-luke-1", "luf", "oc2"),
    region("us-gov-ashburn-1", "ric", "oc3"),
    region("us-gov-chicago-1", "pia", "oc3"),
    region("us-gov-phoenix-1", "tus", "oc3"),
    region("uk-gov-cardiff-1", "brs", "oc4"),
    region("uk-gov-london-1", "ltn", "oc4"),
    region("ap-chiyoda-1", "nja", "oc8"),
    region("ap-ibaraki-1", "ukb", "oc8"),
    region("me-dcc-muscat-1", "mct", "oc9"),
    region("me-ibri-1", "ibr", "oc9"),
    region("ap-dcc-canberra-1", "wga", "oc10"),
    region("eu-dcc-dublin-1", "ork", "oc14"),
    region("eu-dcc-dublin-2", "snn", "oc14"),
    region("eu-dcc-milan-1", "bgy", "oc14"),
    region("eu-dcc-milan-2", "mxp", "oc14"),
    region("eu-dcc-rating-1", "dus", "oc14"),
    region("eu-dcc-rating-2", "dtm", "oc14"),
    region("ap-dcc-gazipur-1", "dac", "oc15"),
    region("eu-frankfurt-2", "str", "oc19"),
    region("eu-madrid-2", "vll", "oc19"),
    region("eu-jovanovac-1", "beg", "oc20"),
    region("me-alrayyan-1", "vve", "oc21"),
    region("me-dcc-doha-1", "doh", "oc21"),
    region("us-somerset-1", "ebb", "oc23"),
    region("us-thames-1", "ebl", "oc23"),
    region("eu-crissier-1", "avf", "oc24"),
    region("eu-dcc-zurich-1", "avz", "oc24"),
    region("me-abudhabi-3", "ahu", "oc26"),
    region("me-alain-1", "rba", "oc26"),
    region("me-abudhabi-2", "rkt", "oc29"),
    region("me-abudhabi-4", "shj", "oc29"),
    region("ap-chuncheon-2", "bno", "oc35"),
    region("ap-seoul-2", "dtz", "oc35"),
    region("ap-suwon-1", "dln", "oc35"),
    region("us-ashburn-2", "yxj", "oc42"),
    region("us-newark-1", "pgc", "oc42"),
    region("eu-budapest-1", "jsk", "oc51"),
    region("sa-riodejaneiro-1", "hnw", "oc52"),
];

const DOMAINS: &[(&str, &str)] = &[
    ("oc1", "oraclecloud.com"),
    ("oc2", "oraclegovcloud.com"),
    ("oc3", "oraclegovcloud.com"),
    ("oc4", "oraclegovcloud.uk"),
    ("oc8", "oraclecloud8.com"),
    ("oc9", "oraclecloud9.com"),
    ("oc10", "oraclecloud10.com"),
    ("oc14", "oraclecloud14.com"),
    ("oc15", "oraclecloud15.com"),
    ("oc19", "oraclecloud.eu"),
    ("oc20", "oraclecloud20.com"),
    ("oc21", "oraclecloud21.com"),
    ("oc23", "oraclecloud23.com"),
    ("oc24", "oraclecloud24.com"),
    ("oc26", "oraclecloud26.com"),
    ("oc29", "oraclecloud29.com"),
    ("oc35", "oraclecloud35.com"),
    ("oc42", "oraclecloud42.com"),
    ("oc51", "oraclecloud51.com"),
    ("oc52", "oraclecloud52.com"),
];
