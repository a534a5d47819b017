//! The register of legal powers, lawful bases and conditions that an agreement may name.
//!
//! The codes are fixed here and not in a file, because the statutory limits of the rule book depend
//! on them: a power that nobody has written a limit for cannot be named.
//!
//! Nothing here is legal advice; commencement and regulations need a check before use.

/// A code and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code as files write it.
    pub code: &'static str,
    /// What it stands for, in plain words.
    pub plain: &'static str,
}

const fn entry(code: &'static str, plain: &'static str) -> Entry {
    Entry { code, plain }
}

/// The power under which benefits data come; its limits travel with the data.
pub const BENEFITS_POWER: &str = "WRA2012-s131";

/// Statutes that permit a flow.
pub const POWERS: [Entry; 14] = [
    entry("CA1989-s17", "Children Act 1989 section 17, help for children in need"),
    entry("CA1989-s47", "Children Act 1989 section 47, child protection enquiries"),
    entry("CA2004-s10", "Children Act 2004 section 10, cooperation for children's well-being"),
    entry("CA2004-s11", "Children Act 2004 section 11, safeguarding duty"),
    entry("CDA1998-s17A", "Crime and Disorder Act 1998 section 17A, depersonalised information only"),
    entry("CDA1998-s115", "Crime and Disorder Act 1998 section 115, disclosure to relevant authorities"),
    entry("DEA2017-s35", "Digital Economy Act 2017 section 35, multiple disadvantages"),
    entry("EA1996", "Education Act 1996, school attendance"),
    entry("ESA2008", "Education and Skills Act 2008, participation of young people"),
    entry("LA2011-s1", "Localism Act 2011 section 1, general power of competence"),
    entry("LGA1972-s111", "Local Government Act 1972 section 111, incidental powers"),
    entry("OMA2007-s14", "Offender Management Act 2007 section 14, offender management"),
    entry("PUPIL-REGS-2013", "Education (Information About Individual Pupils) Regulations 2013"),
    entry("WRA2012-s131", "Welfare Reform Act 2012 section 131, benefits data for troubled families"),
];

/// Lawful bases of Article 6 of the UK GDPR.
pub const LAWFUL_BASES: [Entry; 7] = [
    entry("6-1-a", "consent"),
    entry("6-1-b", "contract"),
    entry("6-1-c", "legal obligation"),
    entry("6-1-d", "vital interests"),
    entry("6-1-e", "public task"),
    entry("6-1-ea", "recognised legitimate interests"),
    entry("6-1-f", "legitimate interests"),
];

/// Conditions of Articles 9 and 10 of the UK GDPR and of Schedule 1 to the Data Protection Act 2018.
pub const CONDITIONS: [Entry; 9] = [
    entry("9-2-a", "explicit consent"),
    entry("9-2-c", "vital interests of somebody who cannot consent"),
    entry("9-2-g", "substantial public interest"),
    entry("9-2-h", "health or social care"),
    entry("10-official-authority", "criminal-offence data under the control of official authority"),
    entry("sch1-2", "Schedule 1 paragraph 2, health or social care purposes"),
    entry("sch1-6", "Schedule 1 paragraph 6, statutory and government purposes"),
    entry("sch1-10", "Schedule 1 paragraph 10, preventing or detecting unlawful acts"),
    entry("sch1-18", "Schedule 1 paragraph 18, safeguarding of children and individuals at risk"),
];

/// What a code of the register stands for.
pub fn plain(register: &[Entry], code: &str) -> Option<&'static str> {
    register.iter().find(|entry| entry.code == code).map(|entry| entry.plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        for register in [&POWERS[..], &LAWFUL_BASES, &CONDITIONS] {
            for (n, entry) in register.iter().enumerate() {
                assert_eq!(register.iter().position(|other| other.code == entry.code), Some(n), "{}", entry.code);
                assert_eq!(plain(register, entry.code), Some(entry.plain));
            }
        }
        assert_eq!(plain(&POWERS, "WRA2012"), None);
        assert!(plain(&POWERS, BENEFITS_POWER).is_some());
    }
}
