//! Networks without the edges and nodes that do little.

use super::{Attribution, Network, NetworkLayer, branch::gathered};
use crate::{Error, Result};

impl Network {
    /// The network without the edges and hidden nodes whose [scores](Attribution) are below the thresholds (pykan's are 3e-2
    /// for edges and 1e-2 for nodes). An edge that goes leaves its mean over the samples in its sum's bias, so that only
    /// what varies is lost. Nothing moves: the edges are masked, and [`compact`](Self::compact) makes the smaller network.
    ///
    /// # Errors
    /// Where the attribution is another network's, or a threshold is negative or not finite.
    #[track_caller]
    pub fn prune(&self, attribution: &Attribution, edge: f64, node: f64) -> Result<Self> {
        let fits = attribution.edges.len() == self.depth()
            && attribution.nodes.len() == self.depth() + 1
            && self.layers.iter().zip(&attribution.edges).all(|(l, e)| l.mask.len() == e.len())
            && self.layers.iter().zip(&attribution.means).all(|(l, m)| l.mask.len() == m.len())
            && self.layers.iter().zip(&attribution.nodes).all(|(l, n)| l.inputs == n.len());
        if !fits {
            return Err(Error::setting("Network: the attribution is that of a network of another shape"));
        }
        for (what, threshold) in [("edges", edge), ("nodes", node)] {
            if !(threshold >= 0.0 && threshold.is_finite()) {
                return Err(Error::setting(format!(
                    "Network: the threshold of {what} is {threshold}; it must be finite and at least 0"
                )));
            }
        }
        let mut pruned = self.clone();
        let depth = self.depth();
        for (l, layer) in pruned.layers.iter_mut().enumerate() {
            for at in 0..layer.mask.len() {
                let (input, sum) = (at / layer.sums, at % layer.sums);
                let weak = attribution.edges[l][at] < edge;
                let from = l > 0 && attribution.nodes[l][input] < node;
                let to = l + 1 < depth && attribution.nodes[l + 1][layer.node_of(sum)] < node;
                if layer.mask[at] && (weak || from || to) {
                    layer.remove(input, sum, attribution.means[l][at]);
                }
            }
        }
        Ok(pruned)
    }

    /// The network without one edge. What it was on average over samples is left in the sum's bias: `mean`, or 0 to take the
    /// edge away as it is.
    ///
    /// # Errors
    /// Where there is no such layer, input or sum.
    #[track_caller]
    pub fn remove_edge(&self, layer: usize, input: usize, sum: usize, mean: f64) -> Result<Self> {
        self.layer_of(layer, input, sum)?;
        let mut pruned = self.clone();
        pruned.layers[layer].remove(input, sum, mean);
        Ok(pruned)
    }

    /// The smaller network that computes the same: hidden nodes that nothing leaves are gone, and those that nothing reaches
    /// are constants in the biases behind them. Inputs stay, used or not; [`without_inputs`](Self::without_inputs) drops them.
    ///
    /// ```
    /// use knotwork_core::{Device, Graph};
    /// use knotwork_nn::{Generator, Kan};
    /// let network = Kan::new(&Graph::new(), "kan", [2, 5, 1]).network()?;
    /// let x = Generator::new(1).uniform(&[100, 2], -1.0, 1.0)?;
    /// let scores = network.attribute(&Device::cpu(), &x)?;
    /// let masked = network.prune(&scores, 0.1, 0.2)?;
    /// let small = masked.compact();
    /// assert!(small.widths()[1] < 5);
    /// let (a, b) = (masked.evaluate(&[0.3, -0.4])?, small.evaluate(&[0.3, -0.4])?);
    /// assert!((a[0] - b[0]).abs() < 1e-12);
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    #[must_use]
    pub fn compact(&self) -> Self {
        let mut small = self.clone();
        let mut l = 1;
        while l < small.layers.len() {
            if small.drop_node_before(l) {
                // What is gone may have been all that kept nodes further in front.
                l = l.saturating_sub(1).max(1);
            } else {
                l += 1;
            }
        }
        small
    }

    /// Takes away a node between layer l − 1 and l that does nothing, or is constant; says whether there was one.
    fn drop_node_before(&mut self, l: usize) -> bool {
        let [before, after] = &mut self.layers[l - 1..=l] else { return false };
        let nodes = before.outputs();
        if nodes == 1 {
            return false;
        }
        for node in 0..nodes {
            let leaves = (0..after.sums).any(|o| after.has_edge(node, o));
            let reached = before.sums_of(node).any(|sum| (0..before.inputs).any(|i| before.has_edge(i, sum)));
            if leaves && reached {
                continue;
            }
            if leaves {
                let value: f64 =
                    before.sums_of(node).map(|s| before.bias.get(s).copied().unwrap_or(0.0)).product();
                for (sum, constant) in after.values(node, value).into_iter().enumerate() {
                    after.remove(node, sum, constant);
                }
            }
            after.keep_inputs(&(0..nodes).filter(|n| *n != node).collect::<Vec<_>>());
            before.drop_node(node);
            return true;
        }
        false
    }

    /// The network without inputs whose scores are below a threshold, and the columns of the data that it still takes. Their edges
    /// leave their means behind, as in [`prune`](Self::prune). The most important input stays.
    ///
    /// # Errors
    /// As of [`prune`](Self::prune).
    #[track_caller]
    pub fn without_inputs(&self, attribution: &Attribution, threshold: f64) -> Result<(Self, Vec<usize>)> {
        let pruned = self.prune(attribution, 0.0, 0.0)?;
        if !(threshold >= 0.0 && threshold.is_finite()) {
            return Err(Error::setting(format!(
                "Network: the threshold of inputs is {threshold}; it must be finite and at least 0"
            )));
        }
        let scores = attribution.inputs();
        let most = scores.iter().copied().fold(0.0, f64::max);
        let kept: Vec<usize> = (0..scores.len()).filter(|i| scores[*i] >= threshold.min(most)).collect();
        let mut small = pruned;
        let Some(first) = small.layers.first_mut() else { return Ok((small, kept)) };
        for input in (0..scores.len()).filter(|i| !kept.contains(i)) {
            for sum in 0..first.sums {
                let mean = attribution.means[0][first.edge(input, sum)];
                first.remove(input, sum, mean);
            }
        }
        first.keep_inputs(&kept);
        if !small.units[0].is_empty() {
            small.units[0] = kept.iter().map(|i| small.units[0][*i]).collect();
        }
        small.inputs = kept.iter().filter_map(|i| small.inputs.get(*i).cloned()).collect();
        Ok((small, kept))
    }
}

impl NetworkLayer {
    /// Takes an edge away and adds to its sum's bias what it leaves.
    pub(super) fn remove(&mut self, input: usize, sum: usize, leaves: f64) {
        let edge = self.edge(input, sum);
        if !self.mask[edge] {
            return;
        }
        self.mask[edge] = false;
        self.symbolic[edge] = None;
        if leaves != 0.0 {
            self.bias.resize(self.sums, 0.0);
            self.bias[sum] += leaves;
        }
    }

    fn keep(&mut self, inputs: &[usize], sums: &[usize]) {
        let old = self.sums;
        let few = |values: &mut Vec<f64>| {
            if !values.is_empty() {
                *values = gathered(values, 1, old, inputs, sums);
            }
        };
        few(&mut self.base_weight);
        few(&mut self.scale);
        let edges: Vec<usize> = inputs.iter().flat_map(|i| sums.iter().map(move |o| i * old + o)).collect();
        self.branches.iter_mut().for_each(|branch| branch.keep(old, inputs, sums));
        self.mask = edges.iter().map(|e| self.mask[*e]).collect();
        self.symbolic = edges.iter().map(|e| self.symbolic[*e].clone()).collect();
        if !self.bias.is_empty() {
            self.bias = sums.iter().map(|o| self.bias[*o]).collect();
        }
        (self.inputs, self.sums) = (inputs.len(), sums.len());
    }

    fn keep_inputs(&mut self, inputs: &[usize]) {
        let sums: Vec<usize> = (0..self.sums).collect();
        self.keep(inputs, &sums);
    }

    fn drop_node(&mut self, node: usize) {
        let gone = self.sums_of(node);
        let sums: Vec<usize> = (0..self.sums).filter(|o| !gone.contains(o)).collect();
        if let Some(product) = node.checked_sub(self.plain()) {
            self.multiply.remove(product);
        }
        let inputs: Vec<usize> = (0..self.inputs).collect();
        self.keep(&inputs, &sums);
    }
}
