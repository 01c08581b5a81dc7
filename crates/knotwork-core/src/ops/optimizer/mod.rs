//! Optimizers' updates: one operation steps every parameter, so that a whole model is one dispatch where its
//! parameters, gradients and states lie side by side.

mod adam;
mod lists;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use super::Registered;

pub(super) const REGISTERED: [Registered; 2] = [adam::REGISTERED, sgd::REGISTERED];

#[cfg(test)]
mod tests {
    use super::Adam;
    use crate::{
        DType, Graph, HostTensor, Site,
        graph::Tensor,
        plan::{BufferKind, Capabilities, Plan, PlanOptions},
    };

    fn plan(clipped: bool) -> Plan {
        plan_on(clipped, &Capabilities::portable())
    }

    fn plan_on(clipped: bool, capabilities: &Capabilities) -> Plan {
        let g = Graph::new();
        let zeros = |shape: &[usize]| HostTensor::zeros(DType::F32, shape);
        let shapes: [&[usize]; 3] = [&[5, 7], &[130], &[2, 2]];
        let slots = |prefix: &str| -> Vec<Tensor> {
            let make = |(k, shape): (usize, &&[usize])| {
                let name = format!("{prefix}{k}");
                if prefix == "p" {
                    g.parameter(&name, zeros(shape))
                } else {
                    g.state(&name, prefix, zeros(shape))
                }
            };
            shapes.iter().enumerate().map(|s| make(s).unwrap()).collect()
        };
        let (p, m, v) = (slots("p"), slots("m"), slots("v"));
        let step = g.state("step", "step", HostTensor::scalar(0i32)).unwrap();
        let mut inputs = vec![g.scalar("lr", 0.1).unwrap(), step.clone()];
        if clipped {
            inputs.push(g.scalar("scale", 1.0).unwrap());
        }
        // What stands for gradients: values that the parameters give, elementwise.
        let d: Vec<Tensor> = p.iter().map(|p| p.sub(1.0).unwrap().exp().unwrap()).collect();
        inputs.extend([&p, &d, &m, &v].into_iter().flatten().cloned());
        let op = Adam { scaled: clipped, ..Adam::new(3) };
        let out = g.apply(op, &inputs.iter().collect::<Vec<_>>(), Site::here()).unwrap();
        let mut update = g.assign(&step, &step.add(1.0).unwrap()).unwrap();
        for (slot, new) in p.iter().chain(&m).chain(&v).zip(&out) {
            update = update.and(g.assign(slot, new).unwrap()).unwrap();
        }
        g.plan(&[], &[&update], &[].into(), capabilities, PlanOptions::default()).unwrap()
    }

    #[test]
    fn one_dispatch_updates_all_parameters() {
        for clipped in [false, true] {
            let plan = plan(clipped);
            let updates: Vec<_> =
                plan.dispatches.iter().filter(|d| d.kernel.name == "optimizer/adam").collect();
            assert_eq!(updates.len(), 1, "{plan}");
            assert_eq!(
                plan.dispatches.iter().filter(|d| d.kernel.name == "optimizer/copy").count(),
                0,
                "{plan}"
            );
            // 35, 130 and 4 elements, each tensor on a boundary of 64.
            let count = 64 + 192 + 4;
            assert_eq!(updates[0].params.words()[0], count);
            assert_eq!(updates[0].grid, [2, 1, 1]);
            let shown: Vec<usize> = updates[0].bindings.iter().map(|b| b.bytes).collect();
            let head = if clipped { 3 } else { 2 };
            assert_eq!(shown[head..], [count as usize * 4; 4]);
        }
    }

    #[test]
    fn dispatches_merge_no_further_than_the_device_binds() {
        let capabilities = Capabilities { max_binding_bytes: 1024, ..Capabilities::portable() };
        let plan = plan_on(false, &capabilities);
        let updates: Vec<_> = plan.dispatches.iter().filter(|d| d.kernel.name == "optimizer/adam").collect();
        // 260 elements do not fit 1,024 bytes at once; 64 + 130 do, and the last tensor is on its own.
        assert_eq!(updates.len(), 2, "{plan}");
        assert!(updates.iter().all(|d| d.bindings.iter().all(|b| b.bytes <= 1024)), "{plan}");
        assert_eq!(updates[1].params.words()[0], 4);
    }

    #[test]
    fn states_change_where_they_lie() {
        let plan = plan(false);
        let step = plan.steps.iter().find(|s| s.op.name() == "adam").unwrap();
        assert_eq!(step.aliases.len(), 9, "{plan}");
        for place in &step.outputs {
            assert!(matches!(plan.buffers[place.buffer.0].kind, BufferKind::Chunk(_)));
        }
    }
}
