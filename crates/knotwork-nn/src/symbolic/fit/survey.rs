//! The hills of first grids, of many edges at once, by a graph on a device.
//!
//! For all cells (a, b) of a grid and all samples (t, y) of an edge, in the frame of [`Samples`]:
//!
//! ```text
//! v = f(a t + b),   r² = (Σ (v − v̄) y)² / Σ (v − v̄)²,   y centred and of length 1
//! ```
//!
//! The device says where to look, in f32; the host says what is there, in f64: it climbs from the device's hills to the
//! top among the cells around. So rounding on the device adds no hill and moves none.

use std::collections::{HashMap, HashSet};

use knotwork_core::{DType, Device, Graph, HostTensor, Program, Run, Site, Tensor};
use rayon::prelude::*;

use super::{
    super::{Domain, Function, Samples, SymbolicError, samples::Set, symmetry::Symmetry},
    Search,
    correlation::r2,
    grid::{Grid, Hill, Map, hills_among, precedes},
    start::{HILLS, grids},
};
use crate::Result;

/// Elements of the largest value of a run, [grids, samples, cells]: 16 MiB, so that a run that keeps two or three of them
/// stays below 64 MiB.
const ELEMENTS: usize = 4 << 20;
/// Hills of the device's grid from which the host climbs: where r² is level, rounding makes many of one.
const CLIMBED: usize = 64;
/// Deviations below this part of the mean are f32's rounding: there f counts as constant.
const LEVEL: f64 = 1e-5;
/// r² nearer than this is level on the device.
const GRAIN: f64 = 1e-6;
/// How far arguments are held from the ends of a domain: rounding to f32 may not push them out.
const INSIDE: f64 = 1e-7;

/// One grid of one edge.
struct Job<'a> {
    edge: usize,
    /// Which of the edge's grids.
    which: usize,
    grid: Grid,
    set: &'a Set,
}

impl Job<'_> {
    /// a and b of the k-th cell, as the device takes them.
    fn numbers(&self, k: usize) -> [f64; 2] {
        let [a, b] = self.grid.at(self.grid.place(k));
        // c undoes any b: e^u of u up to 0 is never too large.
        if self.grid.map == Map::Scale { [a, -a.abs()] } else { [a, b] }
    }
}

/// The hills of an edge's first grids: the number of the grid, and the hill.
pub(in super::super) type Hills = Vec<(usize, Hill)>;

/// For each function and each edge the hills of the first grids, highest first: none where the host has to look itself,
/// because the function has no form of tensors or no grid.
pub(in super::super) fn survey(
    device: &Device,
    functions: &[&Function],
    edges: &[Samples],
    search: &Search,
    site: Site,
) -> Result<Vec<Vec<Option<Hills>>>> {
    let mut found = Vec::with_capacity(functions.len());
    // While the device works at one function, the host climbs for the one before.
    let mut before: Option<Flight<'_>> = None;
    for function in functions {
        let next = Flight::start(device, function, edges, search, site)?;
        if let Some(flight) = before.replace(next) {
            found.push(flight.land()?);
        }
    }
    if let Some(flight) = before {
        found.push(flight.land()?);
    }
    Ok(found)
}

/// What the device works at: a function's grids over all edges.
struct Flight<'a> {
    function: &'a Function,
    edges: usize,
    jobs: Vec<Job<'a>>,
    /// Runs, and the places in `jobs` and in the grid that each is about.
    runs: Vec<(Run, Part)>,
}

/// So many jobs from one on, and so many cells of each from one on.
#[derive(Clone, Copy, Debug)]
struct Part {
    job: usize,
    jobs: usize,
    cell: usize,
    cells: usize,
    /// Cells that a row of the run has.
    width: usize,
}

impl<'a> Flight<'a> {
    fn start(
        device: &Device,
        function: &'a Function,
        edges: &'a [Samples],
        search: &Search,
        site: Site,
    ) -> Result<Self> {
        let mut jobs = Vec::new();
        if function.is_on_tensors() && !matches!(function.symmetry(), Symmetry::Zero | Symmetry::Linear) {
            for (edge, samples) in edges.iter().enumerate().filter(|(_, s)| !s.is_constant()) {
                let all = grids(function.symmetry(), samples, search).into_iter().enumerate();
                jobs.extend(all.map(|(which, grid)| Job { edge, which, grid, set: &samples.coarse }));
            }
        }
        // One shape a program: as many samples, and as many cells.
        jobs.sort_by_key(|j| (j.set.t.len(), j.grid.cells(), j.edge, j.which));
        let mut runs = Vec::new();
        let mut from = 0;
        while from < jobs.len() {
            let shape = |j: &Job<'_>| (j.set.t.len(), j.grid.cells());
            let alike = jobs[from..].iter().take_while(|j| shape(j) == shape(&jobs[from])).count();
            runs.extend(run_alike(device, function, &jobs[from..from + alike], from, site)?);
            from += alike;
        }
        Ok(Self { function, edges: edges.len(), jobs, runs })
    }

    /// Waits for r² of each job's cells, as the device has it.
    fn maps(&mut self) -> Result<Vec<Vec<f64>>> {
        let mut maps: Vec<Vec<f64>> = self.jobs.iter().map(|j| vec![-1.0; j.grid.cells()]).collect();
        for (run, part) in self.runs.drain(..) {
            let values = run.wait()?[0].to_f64();
            // Rows and cells behind those of the part fill the shape.
            let of_part = &mut maps[part.job..part.job + part.jobs];
            for (map, row) in of_part.iter_mut().zip(values.chunks_exact(part.width)) {
                map[part.cell..part.cell + part.cells].copy_from_slice(&row[..part.cells]);
            }
        }
        Ok(maps)
    }

    /// Waits, and climbs.
    fn land(mut self) -> Result<Vec<Option<Hills>>> {
        let maps = self.maps()?;
        let hills: Vec<Vec<Hill>> = self
            .jobs
            .par_iter()
            .zip(maps)
            .map(|(job, map)| tops(self.function, job.set, &job.grid, map))
            .collect();
        let mut found: Vec<Option<Hills>> = vec![None; self.edges];
        let mut order: Vec<usize> = (0..self.jobs.len()).collect();
        order.sort_by_key(|k| (self.jobs[*k].edge, self.jobs[*k].which));
        for k in order {
            let job = &self.jobs[k];
            let of_edge = found[job.edge].get_or_insert_default();
            of_edge.extend(hills[k].iter().map(|hill| (job.which, *hill)));
        }
        Ok(found)
    }
}

/// How many grids, and how many cells of each, a run takes: even parts, since the last is filled up.
fn parts(grids: usize, cells: usize, samples: usize) -> [usize; 2] {
    let width = cells.div_ceil(cells.div_ceil(ELEMENTS / samples));
    let rows = (ELEMENTS / (samples * width)).max(1);
    [grids.div_ceil(grids.div_ceil(rows)), width]
}

/// Starts the runs over grids of one size; `first` is the number of the first job.
fn run_alike(
    device: &Device,
    function: &Function,
    jobs: &[Job<'_>],
    first: usize,
    site: Site,
) -> Result<Vec<(Run, Part)>> {
    let (samples, cells) = (jobs[0].set.t.len(), jobs[0].grid.cells());
    let [rows, width] = parts(jobs.len(), cells, samples);
    let mut program = program(device, function, [rows, samples, width], site)?;
    let mut runs = Vec::new();
    for job in (0..jobs.len()).step_by(rows) {
        let part: Vec<&Job<'_>> = (job..job + rows).map(|k| &jobs[k.min(jobs.len() - 1)]).collect();
        let of_samples = |values: &dyn Fn(&Set) -> Vec<f32>| {
            let all: Vec<f32> = part.iter().flat_map(|j| values(j.set)).collect();
            HostTensor::new(&all, [rows, samples, 1])
        };
        let t = of_samples(&|set| set.t.iter().map(|t| *t as f32).collect())?;
        let y = of_samples(&|set| {
            let length = set.spread.sqrt();
            let unit = if length > 0.0 { 1.0 / length } else { 0.0 };
            set.centred.iter().map(|y| (y * unit) as f32).collect()
        })?;
        for cell in (0..cells).step_by(width) {
            let numbers = |which: usize| {
                let at = |j: &Job<'_>, c: usize| j.numbers(c.min(cells - 1))[which] as f32;
                let of_job = |j: &&Job<'_>| -> Vec<f32> { (cell..cell + width).map(|c| at(j, c)).collect() };
                let all: Vec<f32> = part.iter().flat_map(of_job).collect();
                HostTensor::new(&all, [rows, 1, width])
            };
            let (a, b) = (numbers(0)?, numbers(1)?);
            let run = program.run([("t", &t), ("y", &y), ("a", &a), ("b", &b)])?;
            let part = Part {
                job: first + job,
                jobs: rows.min(jobs.len() - job),
                cell,
                cells: width.min(cells - cell),
                width,
            };
            runs.push((run, part));
        }
    }
    Ok(runs)
}

/// r² [rows, cells] over samples t, y [rows, samples, 1] for a, b [rows, 1, cells].
fn program(
    device: &Device,
    function: &Function,
    [rows, samples, cells]: [usize; 3],
    site: Site,
) -> Result<Program> {
    let graph = Graph::new();
    let input = |name: &str, shape: [usize; 3]| graph.input(name, DType::F32, shape);
    let (t, y) = (input("t", [rows, samples, 1])?, input("y", [rows, samples, 1])?);
    let (a, b) = (input("a", [rows, 1, cells])?, input("b", [rows, 1, cells])?);
    let u = held(&a.mul(&t)?.add(&b)?, function.domain_of())?;
    let v = function.of_tensor(&u)?;
    if v.shape() != u.shape() {
        return Err(SymbolicError::Function {
            name: function.name().into(),
            problem: format!(
                "its form of tensors makes {} of {}: it must keep the shape",
                v.shape(),
                u.shape()
            ),
            site,
        }
        .into());
    }
    let mean = v.mean(&[1], true)?;
    let off = v.sub(&mean)?;
    let spread = off.square()?.sum(&[1], false)?;
    let with = off.mul(&y)?.sum(&[1], false)?;
    let level = mean.square()?.mul(LEVEL * LEVEL * samples as f64)?.sum(&[1], false)?;
    // One quotient after the other: a product may overflow.
    let share = with.div(&spread)?.mul(&with)?;
    let share = share.select(&spread.gt(&level)?, 0.0)?;
    Ok(device.compile(&graph, &[&share], &[])?)
}

/// Arguments within the domain. The host takes the cells away whose arguments are outside; this only undoes rounding.
fn held(u: &Tensor, domain: Domain) -> Result<Tensor> {
    Ok(match domain {
        Domain::Positive | Domain::NonNegative => u.maximum(f64::from(f32::MIN_POSITIVE))?,
        Domain::ClosedUnit | Domain::OpenUnit => u.maximum(INSIDE - 1.0)?.minimum(1.0 - INSIDE)?,
        Domain::All | Domain::NonZero | Domain::CosineNonZero => u.clone(),
    })
}

/// The highest hills in f64, from a map of r² as good as f32.
fn tops(function: &Function, set: &Set, grid: &Grid, mut map: Vec<f64>) -> Vec<Hill> {
    let domain = function.domain_of();
    let ends = [set.t[0], set.t[set.t.len() - 1]];
    for (k, r2) in map.iter_mut().enumerate() {
        let [a, b] = grid.at(grid.place(k));
        // t ascends, so the ends tell for intervals; what remains is told by the climb.
        let inside = domain == Domain::NonZero || ends.iter().all(|t| domain.contains(a * t + b));
        if !inside || !r2.is_finite() {
            *r2 = -1.0;
        }
    }
    let rows: Vec<Vec<f64>> = map.chunks(grid.q.len()).map(<[f64]>::to_vec).collect();
    let mut climb = Climb { function, set, grid, known: HashMap::new(), values: Vec::new() };
    let mut seen = HashSet::new();
    let mut tops: Vec<Hill> = Vec::new();
    for hill in hills_among(&rows, CLIMBED, GRAIN) {
        let top = climb.top(hill.cell);
        if top.r2 > 0.0 && seen.insert(top.cell) {
            tops.push(top);
        }
        if tops.len() == HILLS {
            break;
        }
    }
    tops.sort_by(|x, y| y.r2.total_cmp(&x.r2).then(x.cell.cmp(&y.cell)));
    tops
}

/// r² in f64, each cell once.
struct Climb<'a> {
    function: &'a Function,
    set: &'a Set,
    grid: &'a Grid,
    known: HashMap<(usize, usize), f64>,
    values: Vec<f64>,
}

impl Climb<'_> {
    fn r2(&mut self, cell: (usize, usize)) -> f64 {
        let Self { function, set, grid, known, values } = self;
        *known.entry(cell).or_insert_with(|| {
            let [a, b] = grid.at(cell);
            r2(function, set, a, b, values).unwrap_or(-1.0)
        })
    }

    /// The cell that no cell around exceeds, always by the highest neighbour.
    fn top(&mut self, from: (usize, usize)) -> Hill {
        let mut best = Hill { r2: self.r2(from), cell: from };
        loop {
            let (i, j) = best.cell;
            let mut next = best;
            for i in i.saturating_sub(1)..=(i + 1).min(self.grid.p.len() - 1) {
                for j in j.saturating_sub(1)..=(j + 1).min(self.grid.q.len() - 1) {
                    let other = Hill { r2: self.r2((i, j)), cell: (i, j) };
                    if precedes(&other, &next) {
                        next = other;
                    }
                }
            }
            if next.cell == best.cell {
                return best;
            }
            best = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::correlation::evaluate, *};
    use crate::symbolic::{Library, samples::moments};

    fn samples(f: impl Fn(f64) -> f64, low: f64, high: f64, n: usize) -> Samples {
        let x: Vec<f64> = (0..n).map(|i| low + (high - low) * i as f64 / (n - 1) as f64).collect();
        let y: Vec<f64> = x.iter().map(|x| f(*x)).collect();
        Samples::new(&x, &y).unwrap()
    }

    fn on_host(f: &Function, samples: &Samples, search: &Search) -> Hills {
        let all = grids(f.symmetry(), samples, search);
        let hills = |(g, grid): (usize, &Grid)| {
            grid.hills(f, &samples.coarse, HILLS).into_iter().map(move |hill| (g, hill)).collect::<Vec<_>>()
        };
        all.iter().enumerate().flat_map(hills).collect()
    }

    #[test]
    fn the_hills_are_the_hosts() {
        let edges = [
            samples(|x| (3.0 * x + 1.0).sin(), -1.0, 1.0, 100),
            samples(|x| 2.0 * (1.5 * x - 0.4).tanh() + 1.0, -1.0, 1.0, 100),
            samples(|x| (-x).exp() + 0.1 * (9.0 * x).cos(), 0.0, 3.0, 100),
            samples(|x| 1.0 / (x + 1.3), -1.0, 1.0, 100),
            samples(|x| (0.004 * x).sin(), 0.0, 2000.0, 100),
        ];
        let search = Search { grid: 31, ..Search::default() };
        let library = Library::standard();
        let functions: Vec<&Function> = library.iter().collect();
        let found = survey(&Device::cpu(), &functions, &edges, &search, Site::here()).unwrap();
        let mut compared = 0;
        for (f, of_edges) in functions.iter().zip(found) {
            for (e, (hills, edge)) in of_edges.into_iter().zip(&edges).enumerate() {
                if matches!(f.symmetry(), Symmetry::Zero | Symmetry::Linear) {
                    assert!(hills.is_none());
                    continue;
                }
                let (hills, host) = (hills.unwrap(), on_host(f, edge, &search));
                let all = grids(f.symmetry(), edge, &search);
                // f32 does not see changes of f that are this small a part of f, nor so low a hill.
                let seen = |&(g, hill): &(usize, Hill)| {
                    let [a, b] = all[g].at(hill.cell);
                    let mut values = Vec::new();
                    evaluate(f, &edge.coarse.t, a, b, &mut values);
                    let (mean, spread) = moments(&values);
                    let part = (spread / values.len() as f64).sqrt() / mean.abs();
                    hill.r2 > 0.05 && part > 2.0 * LEVEL && values.iter().all(|v| v.abs() < 1e18)
                };
                for hill in host.iter().filter(|h| seen(h)) {
                    assert!(hills.contains(hill), "{f}, edge {e}: {hill:?} is not in {hills:?}");
                }
                for hill in &hills {
                    let rows = all[hill.0].rows(f, &edge.coarse);
                    let every = hills_among(&rows, usize::MAX, super::super::grid::GRAIN);
                    assert!(every.contains(&hill.1), "{f}, edge {e}: {hill:?} is no hill");
                }
                compared += hills.len();
            }
        }
        assert!(compared > 500, "{compared}");
    }

    #[test]
    fn parts_are_put_together() {
        // More grids than a run takes, and grids of more cells than a run takes; samples of two lengths.
        let edges: Vec<Samples> = (0..15)
            .map(|k| {
                samples(
                    |x| (x * (2.0 + 0.3 * f64::from(k))).sin(),
                    -1.0,
                    1.0,
                    if k % 2 == 0 { 40 } else { 128 },
                )
            })
            .collect();
        let arctan = Library::standard().get("arctan").unwrap();
        for (search, count) in
            [(Search { grid: 101, ..Search::default() }, 15), (Search { grid: 301, ..Search::default() }, 2)]
        {
            let mut flight =
                Flight::start(&Device::cpu(), &arctan, &edges[..count], &search, Site::here()).unwrap();
            assert!(flight.runs.len() > 2, "{} runs", flight.runs.len());
            let maps = flight.maps().unwrap();
            for (map, job) in maps.iter().zip(&flight.jobs) {
                let want = job.grid.rows(&arctan, job.set).concat();
                assert_eq!(map.len(), want.len());
                // Where a is 0 the device says 0 as well.
                let off = map.iter().zip(&want).filter(|(m, w)| **m != 0.0 && (*m - *w).abs() > 1e-4).count();
                let levels = map.iter().filter(|m| **m == 0.0).count();
                assert!(off == 0 && levels < map.len() / 20, "edge {}: {off} off, {levels} level", job.edge);
            }
        }
    }

    #[test]
    fn what_the_host_has_to_look_for() {
        let edges = [samples(f64::sin, -1.0, 1.0, 50), samples(|_| 2.0, -1.0, 1.0, 50)];
        let bump = |u: f64| u * (-u * u).exp();
        let (plain, on_tensors) = (
            Function::new("bump", bump),
            Function::new("tensor", bump).tensor(|u| u.mul(&u.square()?.neg()?.exp()?)),
        );
        let search = Search { grid: 21, ..Search::default() };
        let found = survey(&Device::cpu(), &[&plain, &on_tensors], &edges, &search, Site::here()).unwrap();
        assert!(found[0].iter().all(Option::is_none));
        assert!(found[1][0].is_some() && found[1][1].is_none());
        let wrong = Function::new("wrong", bump).tensor(|u| u.sum(&[1], true));
        let e = survey(&Device::cpu(), &[&wrong], &edges, &search, Site::here()).unwrap_err().to_string();
        assert!(
            e.starts_with("function `wrong`: its form of tensors makes [1, 1, 441] of [1, 50, 441]"),
            "{e}"
        );
    }

    #[test]
    fn a_run_keeps_below_64_mib() {
        let library = Library::standard();
        for (name, grids, cells) in [("tan", 500, 51 * 26), ("sinh", 40, 51 * 101), ("silu", 3, 1001 * 1001)]
        {
            let [rows, width] = parts(grids, cells, Samples::COARSE);
            let mut program = program(
                &Device::cpu(),
                &library.get(name).unwrap(),
                [rows, Samples::COARSE, width],
                Site::here(),
            )
            .unwrap();
            let plan = program.plan(&knotwork_core::tensor::Binding::default()).unwrap();
            let largest = rows * Samples::COARSE * width * 4;
            assert!(
                plan.live_peak <= 64 << 20 && largest > 8 << 20,
                "{name}: {} of {largest}",
                plan.live_peak
            );
        }
    }
}
