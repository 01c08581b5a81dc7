//! Random graphs on the CPU: fused or not, with memory shared or not, the values are the oracle's.

use kernels_test::{
    backends::Backend,
    random::{Instruction, Pick, RandomGraph, knobs},
};
use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

fn instruction() -> impl Strategy<Value = Instruction> {
    any::<(u16, u16, u16, u16)>().prop_map(|(what, a, b, c)| Instruction { what, pick: Pick(a, b, c) })
}

proptest! {
    // A fixed seed: a change that breaks a graph is found when it is made, not by someone else later.
    #![proptest_config(ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn plans_give_the_oracles_values(instructions in vec(instruction(), 1..20), seed in any::<u64>()) {
        let graph = RandomGraph::new(&instructions, seed).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for options in knobs() {
            graph.check(&Backend::cpu(), options).map_err(TestCaseError::fail)?;
        }
    }
}
