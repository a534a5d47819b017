//! Filters in the order of their number of ones, eight to a block.

/// How many filters are compared at a time.
pub(super) const LANES: usize = 8;
/// After how many sixteenths of its words a block is looked at again. A scan begins with the first or
/// the second, whichever costs less.
pub(super) const LOOKS: [usize; 3] = [8, 11, 14];

/// One filter of the first set.
pub(super) struct Row<'f, const W: usize> {
    pub(super) place: u32,
    pub(super) ones: u32,
    pub(super) words: &'f [u64; W],
    /// The ones beyond each look.
    pub(super) beyond: [u64; LOOKS.len()],
}

/// Eight filters, word by word. What is missing of the last block is empty and matches nothing.
pub(super) struct Block<const W: usize> {
    pub(super) words: [[u64; LANES]; W],
    /// The ones of each filter beyond each look.
    pub(super) beyond: [[u64; LANES]; LOOKS.len()],
}

/// The second set.
pub(super) struct Blocks<const W: usize> {
    pub(super) all: Vec<Block<W>>,
    /// The number of ones of each filter, ascending, with zeros where the last block has none.
    pub(super) ones: Vec<[u32; LANES]>,
    /// Where each filter was in the set.
    pub(super) places: Vec<[u32; LANES]>,
}

/// The filters that are not empty, by their number of ones.
pub(super) fn by_ones<const W: usize>(filters: &[[u64; W]]) -> Vec<Row<'_, W>> {
    let mut rows: Vec<Row<'_, W>> = (0_u32..).zip(filters).map(|(place, words)| Row::new(place, words)).collect();
    rows.retain(|row| row.ones > 0);
    rows.sort_by_key(|row| row.ones);
    rows
}

impl<'f, const W: usize> Row<'f, W> {
    fn new(place: u32, words: &'f [u64; W]) -> Self {
        let ones = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>();
        let beyond = LOOKS.map(|look| u64::from(ones(&words[W * look / 16..])));
        Self { place, ones: ones(words), words, beyond }
    }
}

impl<const W: usize> Blocks<W> {
    pub(super) fn new(filters: &[[u64; W]]) -> Self {
        let rows = by_ones(filters);
        let count = rows.len().div_ceil(LANES);
        let mut made =
            Self { all: Vec::with_capacity(count), ones: vec![[0; LANES]; count], places: vec![[0; LANES]; count] };
        for (at, rows) in rows.chunks(LANES).enumerate() {
            let mut block = Block { words: [[0; LANES]; W], beyond: [[0; LANES]; LOOKS.len()] };
            for (lane, row) in rows.iter().enumerate() {
                made.ones[at][lane] = row.ones;
                made.places[at][lane] = row.place;
                block.words.iter_mut().zip(row.words).for_each(|(lanes, word)| lanes[lane] = *word);
                block.beyond.iter_mut().zip(row.beyond).for_each(|(lanes, ones)| lanes[lane] = ones);
            }
            made.all.push(block);
        }
        made
    }
}
