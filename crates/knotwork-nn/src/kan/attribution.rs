//! How much of the outputs is owed to each edge, node and input.

use knotwork_core::{Device, HostTensor};

use super::Network;
use crate::Result;

/// How much each edge and node does for the outputs over samples (Liu et al. 2024, "KAN 2.0", section 5.1): an output's score is
/// 1; an edge has the part σ(φ_oi) / σ(s_o) of its sum's score, σ the standard deviation over the samples; a node has the
/// sum of the scores of the edges that leave it. A factor of a multiplication node has that node's score.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// By layer: the scores of edges, [inputs, sums].
    pub edges: Vec<Vec<f64>>,
    /// By layer: the standard deviations of edges, [inputs, sums].
    pub deviations: Vec<Vec<f64>>,
    /// By layer: the means of edges, [inputs, sums].
    pub means: Vec<Vec<f64>>,
    /// The scores of inputs, of the nodes after every layer, and at last of the outputs, which are 1.
    pub nodes: Vec<Vec<f64>>,
}

impl Attribution {
    /// The scores of the inputs.
    #[must_use]
    pub fn inputs(&self) -> &[f64] {
        self.nodes.first().map_or(&[], |n| &n[..])
    }

    /// The inputs' names with their scores, the highest first.
    #[must_use]
    pub fn ranking(&self, names: &[String]) -> Vec<(String, f64)> {
        let mut all: Vec<(String, f64)> = names.iter().cloned().zip(self.inputs().iter().copied()).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all
    }
}

impl Network {
    /// How much each edge and node does for the outputs over samples x [rows, inputs], computed on a device.
    ///
    /// ```
    /// use knotwork_core::{Device, Graph};
    /// use knotwork_nn::{Generator, Kan};
    /// let network = Kan::new(&Graph::new(), "kan", [3, 4, 1]).seed(2).network()?;
    /// let x = Generator::new(1).uniform(&[200, 3], -1.0, 1.0)?;
    /// let found = network.attribute(&Device::cpu(), &x)?;
    /// assert_eq!(found.nodes[2], [1.0]);
    /// assert!(found.inputs().iter().all(|score| *score > 0.0));
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is no float [rows, inputs] of finite numbers.
    #[track_caller]
    pub fn attribute(&self, device: &Device, x: &HostTensor) -> Result<Attribution> {
        let found = self.on_samples(device, x, |model, x| {
            let scales = model.edge_scales(x)?;
            Ok(scales.into_iter().flat_map(|s| [s.deviations, s.means, s.sums]).collect())
        })?;
        let depth = self.depth();
        let outputs = self.widths().last().copied().unwrap_or(0);
        let mut all = Attribution {
            edges: vec![Vec::new(); depth],
            deviations: Vec::with_capacity(depth),
            means: Vec::with_capacity(depth),
            nodes: vec![Vec::new(); depth + 1],
        };
        for found in found.chunks_exact(3) {
            all.deviations.push(found[0].to_f64());
            all.means.push(found[1].to_f64());
        }
        all.nodes[depth] = vec![1.0; outputs];
        for (l, layer) in self.layers.iter().enumerate().rev() {
            let sums = found[3 * l + 2].to_f64();
            let mut edges = vec![0.0; layer.mask.len()];
            let mut nodes = vec![0.0; layer.inputs];
            for (edge, score) in edges.iter_mut().enumerate().filter(|(edge, _)| layer.mask[*edge]) {
                let (input, sum) = (edge / layer.sums, edge % layer.sums);
                *score = all.nodes[l + 1][layer.node_of(sum)] * all.deviations[l][edge] / sums[sum];
                nodes[input] += *score;
            }
            (all.edges[l], all.nodes[l]) = (edges, nodes);
        }
        Ok(all)
    }
}
