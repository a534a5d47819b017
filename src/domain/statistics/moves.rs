//! Other worlds that would print the same figures.
//!
//! A *move* adds to some atoms and takes from others. From the true counts, the search looks for the
//! move that brings one figure furthest towards a value, while every shown figure stays in the range
//! of what is printed; or where none does, for the move that strays from as few and as unimportant
//! ones as it can: these are the ones to keep back besides. It is a linear programme with bounded
//! variables whose start, no move at all, is feasible, so one phase of the primal simplex method is
//! enough (G. B. Dantzig, "Upper bounds, secondary constraints, and block triangularity in linear
//! programming", Econometrica 23, 1955). The idea of paying for strayed figures is that of
//! J. P. Kelly, B. L. Golden and A. A. Assad, "Cell suppression: disclosure protection for sensitive
//! tabular data", Networks 22 (1992).
//!
//! It works with fractions in floating point. Nothing is believed of it: the caller rounds the move
//! and checks it in whole numbers.

/// What is smaller than this is nothing.
const NOTHING: f64 = 1e-7;
/// What reaching the target is worth a unit. A dearer way is not taken.
const REWARD: f64 = 1e5;
/// A change worth less than this is not worth making.
const WORTHLESS: f64 = 1e-5;
/// Steps after which the smallest rule (R. G. Bland, 1977) takes over, which cannot go in circles.
const STEPS_BEFORE_BLAND: usize = 400;
/// Steps at the most.
const MOST_STEPS: usize = 6_000;

/// A figure that a move may change within limits, and beyond them at a price.
pub(super) struct Limit<'a> {
    /// The atoms that it adds up.
    pub(super) atoms: &'a [usize],
    /// Those that it takes away: how two blocks of atoms are held equal.
    pub(super) minus: &'a [usize],
    /// The smallest change.
    pub(super) low: f64,
    /// The largest change.
    pub(super) high: f64,
    /// What a unit beyond costs; `None` when nothing may go beyond.
    pub(super) price: Option<f64>,
}

/// A move that was found.
pub(super) struct Move {
    /// By how much each atom changes.
    pub(super) changes: Vec<f64>,
    /// Which limits, by position, it goes beyond.
    pub(super) beyond: Vec<usize>,
}

/// Looks for a move that changes the sum over `target` by `distance` (below zero: downwards).
pub(super) fn find(counts: &[u64], limits: &[Limit<'_>], target: &[usize], distance: f64) -> Move {
    let mut simplex = Simplex::new(counts, limits, target, distance);
    for step in 0..MOST_STEPS {
        if !simplex.step(step > STEPS_BEFORE_BLAND) {
            break;
        }
    }
    simplex.found(counts.len(), limits)
}

/// Basic variables as sums over the others: `basic[row] = Σ row[column] × free[column]`.
///
/// Variables are numbered: atoms; then one for each limit (its change within the limits); two for
/// each that has a price (beyond, upwards and downwards); the last is the target's change.
struct Simplex {
    rows: Vec<Vec<f64>>,
    /// What a unit of each free variable is worth.
    worth: Vec<f64>,
    basic: Vec<usize>,
    free: Vec<usize>,
    value: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    /// For each limit, the first of its two variables beyond.
    beyond: Vec<Option<usize>>,
}

impl Simplex {
    fn new(counts: &[u64], limits: &[Limit<'_>], target: &[usize], distance: f64) -> Self {
        let atoms = counts.len();
        let (mut low, mut high): (Vec<f64>, Vec<f64>) =
            counts.iter().map(|&count| (-(count as f64), f64::INFINITY)).unzip();
        let mut free: Vec<usize> = (0..atoms).collect();
        let mut basic = Vec::new();
        for limit in limits {
            basic.push(low.len());
            low.push(limit.low);
            high.push(limit.high);
        }
        let mut beyond = Vec::with_capacity(limits.len());
        let mut prices = vec![0.0; atoms];
        for limit in limits {
            beyond.push(limit.price.map(|price| {
                let first = low.len();
                for variable in [first, first + 1] {
                    free.push(variable);
                    prices.push(price);
                    low.push(0.0);
                    high.push(f64::INFINITY);
                }
                first
            }));
        }
        basic.push(low.len());
        low.push(0.0);
        high.push(distance.abs());

        let columns = free.len();
        let mut rows = Vec::with_capacity(basic.len());
        let mut next = atoms;
        for limit in limits {
            let mut row = vec![0.0; columns];
            for &atom in limit.atoms {
                row[atom] += 1.0;
            }
            for &atom in limit.minus {
                row[atom] -= 1.0;
            }
            if limit.price.is_some() {
                (row[next], row[next + 1]) = (-1.0, 1.0);
                next += 2;
            }
            rows.push(row);
        }
        let mut row = vec![0.0; columns];
        for &atom in target {
            row[atom] += distance.signum();
        }
        let worth = row.iter().zip(&prices).map(|(gain, price)| REWARD * gain - price).collect();
        rows.push(row);
        let value = vec![0.0; low.len()];
        Self { rows, worth, basic, free, value, low, high, beyond }
    }

    /// Takes one step; false when nothing can get better.
    fn step(&mut self, by_smallest: bool) -> bool {
        let Some((column, up)) = self.entering(by_smallest) else { return false };
        let entering = self.free[column];
        let sign = if up { 1.0 } else { -1.0 };
        let own =
            if up { self.high[entering] - self.value[entering] } else { self.value[entering] - self.low[entering] };
        let mut way = own;
        let mut leaving: Option<usize> = None;
        for row in 0..self.rows.len() {
            let rate = sign * self.rows[row][column];
            if rate.abs() < NOTHING {
                continue;
            }
            let variable = self.basic[row];
            let room = if rate > 0.0 {
                self.high[variable] - self.value[variable]
            } else {
                self.value[variable] - self.low[variable]
            };
            let reach = room.max(0.0) / rate.abs();
            let is_tie = (reach - way).abs() <= NOTHING;
            let wins_tie = leaving.is_some_and(|best| {
                if by_smallest { variable < self.basic[best] } else { rate.abs() > self.rows[best][column].abs() }
            });
            if reach < way - NOTHING || (is_tie && wins_tie) {
                (way, leaving) = (reach.min(way), Some(row));
            }
        }
        if way.is_infinite() {
            return false; // only the target has worth, and it has an end: cannot be
        }
        for row in 0..self.rows.len() {
            self.value[self.basic[row]] += sign * way * self.rows[row][column];
        }
        self.value[entering] += sign * way;
        if let Some(row) = leaving {
            let variable = self.basic[row];
            let goes_up = sign * self.rows[row][column] > 0.0;
            self.value[variable] = if goes_up { self.high[variable] } else { self.low[variable] };
            self.swap(row, column);
        }
        true
    }

    /// A free variable whose change is worth something, and in which direction.
    fn entering(&self, by_smallest: bool) -> Option<(usize, bool)> {
        let mut best: Option<(usize, f64)> = None;
        for (column, worth) in self.worth.iter().enumerate() {
            let variable = self.free[column];
            let can = if *worth > WORTHLESS {
                self.value[variable] < self.high[variable] - NOTHING
            } else if *worth < -WORTHLESS {
                self.value[variable] > self.low[variable] + NOTHING
            } else {
                false
            };
            let is_better = best.is_none_or(|(other, other_worth)| {
                if by_smallest { variable < self.free[other] } else { worth.abs() > f64::abs(other_worth) }
            });
            if can && is_better {
                best = Some((column, *worth));
            }
        }
        best.map(|(column, worth)| (column, worth > 0.0))
    }

    /// Makes the free variable of a column basic, and the basic one of a row free.
    fn swap(&mut self, row: usize, column: usize) {
        let pivot = self.rows[row][column];
        let mut turned = std::mem::take(&mut self.rows[row]);
        let mut used = Vec::new();
        for (place, entry) in turned.iter_mut().enumerate() {
            if place == column {
                *entry = 1.0 / pivot;
            } else if *entry != 0.0 {
                *entry = -*entry / pivot;
                if entry.abs() < 1e-12 {
                    *entry = 0.0;
                }
            }
            if *entry != 0.0 {
                used.push(place);
            }
        }
        let replace = |other: &mut Vec<f64>| {
            let factor = std::mem::take(&mut other[column]);
            if factor != 0.0 {
                for &place in &used {
                    other[place] += factor * turned[place];
                    if other[place].abs() < 1e-12 {
                        other[place] = 0.0;
                    }
                }
            }
        };
        self.rows.iter_mut().filter(|other| !other.is_empty()).for_each(replace);
        replace(&mut self.worth);
        self.rows[row] = turned;
        std::mem::swap(&mut self.basic[row], &mut self.free[column]);
    }

    fn found(&self, atoms: usize, limits: &[Limit<'_>]) -> Move {
        let is_beyond = |limit: &usize| {
            self.beyond[*limit].is_some_and(|first| self.value[first] > NOTHING || self.value[first + 1] > NOTHING)
        };
        Move { changes: self.value[..atoms].to_vec(), beyond: (0..limits.len()).filter(is_beyond).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of two by two with exact margins: atoms row by row.
    const MARGINS: [&[usize]; 4] = [&[0, 1], &[2, 3], &[0, 2], &[1, 3]];

    fn limits(price: Option<f64>, prices_of_cells: &[f64]) -> Vec<Limit<'static>> {
        const CELLS: [&[usize]; 4] = [&[0], &[1], &[2], &[3]];
        let exact = |atoms, price| Limit { atoms, minus: &[], low: 0.0, high: 0.0, price };
        let margins = MARGINS.into_iter().map(|atoms| exact(atoms, price));
        let cells = CELLS.into_iter().zip(prices_of_cells).map(|(atoms, price)| exact(atoms, Some(*price)));
        margins.chain(cells).collect()
    }

    fn rounded(found: &Move) -> Vec<i64> {
        found.changes.iter().map(|change| change.round() as i64).collect()
    }

    #[test]
    fn under_exact_margins_only_the_whole_circle_moves() {
        let found = find(&[2, 9, 8, 7], &limits(None, &[]), &[0], 3.0);
        assert_eq!(rounded(&found), [3, -3, -3, 3]);
        assert!(found.beyond.is_empty());
        let found = find(&[2, 9, 8, 7], &limits(None, &[]), &[0], -5.0);
        assert_eq!(rounded(&found), [-2, 2, 2, -2], "nothing falls under zero");
    }

    #[test]
    fn where_nothing_moves_the_cheapest_figures_are_named() {
        // Shown cells cost something, shown margins more: the other corners of the circle are named.
        let found = find(&[2, 9, 8, 7], &limits(Some(50.0), &[0.0, 1.0, 1.0, 1.0]), &[0], -2.0);
        assert_eq!(rounded(&found), [-2, 2, 2, -2]);
        assert!(found.beyond.iter().all(|limit| *limit >= 4), "{:?}", found.beyond);
        assert!([5, 6, 7].iter().all(|limit| found.beyond.contains(limit)), "{:?}", found.beyond);
        // A dear cell is spared: then the margins give way.
        let found = find(&[2, 9, 8, 7], &limits(Some(2.0), &[0.0, 1.0, 1.0, 900.0]), &[0], -2.0);
        assert!(!found.beyond.contains(&7), "{:?}", found.beyond);
    }

    #[test]
    fn the_room_that_rounding_leaves_costs_nothing() {
        let mut limits = limits(None, &[]);
        for limit in &mut limits[..2] {
            (limit.low, limit.high) = (-2.0, 2.0);
        }
        let found = find(&[2, 9, 8, 7], &limits, &[0, 1], 2.0);
        assert_eq!(rounded(&found).iter().take(2).sum::<i64>(), 2);
    }
}
