use crate::{DType, Graph, HostTensor, Tensor, ops::testing::*};

#[test]
fn elements_come_from_where_the_index_says() {
    let g = Graph::new();
    let (x, i) = (g.input("x", DType::F32, [2, 3]).unwrap(), g.input("i", DType::U32, [2, 2]).unwrap());
    let j = g.input("j", DType::I32, [4, 3]).unwrap();
    let (rows, columns) = (x.gather(1, &i).unwrap(), x.gather(0, &j).unwrap());
    let weights = g.tensor(host(&[1.0, 10.0, 100.0, 1000.0], &[2, 2])).unwrap();
    let dx = rows.mul(&weights).unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let feeds = [
        ("x", host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])),
        ("i", HostTensor::new(&[2u32, 0, 1, 1], [2, 2]).unwrap()),
        ("j", HostTensor::new(&[0i32, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1], [4, 3]).unwrap()),
    ];
    let got = both(&g, &[&rows, &columns, &dx], &feeds);
    assert_eq!(got[0], [3.0, 1.0, 5.0, 5.0]);
    assert_eq!(got[1], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 5.0, 3.0, 4.0, 2.0, 6.0]);
    // An element that comes twice gets both.
    assert_eq!(got[2], [10.0, 0.0, 1.0, 0.0, 1100.0, 0.0]);
}

#[test]
fn the_order_of_one_tensor_sorts_another() {
    let g = Graph::new();
    let (keys, x) = (g.input("k", DType::F32, [4]).unwrap(), g.input("x", DType::F32, [4]).unwrap());
    let y = x.gather(0, &keys.argsort(0, false).unwrap()).unwrap();
    let feeds = [("k", host(&[3.0, 1.0, 2.0, 0.0], &[4])), ("x", host(&[30.0, 10.0, 20.0, 0.0], &[4]))];
    assert_eq!(both(&g, &[&y], &feeds)[0], [0.0, 10.0, 20.0, 30.0]);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let index = |name: &str, shape: &[usize]| g.input(name, DType::I32, shape).unwrap();
    let say = |dim, i: &Tensor| x.gather(dim, i).unwrap_err().to_string();
    assert!(
        say(1, &index("a", &[3, 2]))
            .contains("may differ in the last dimension only, not be [2, 3] and [3, 2]")
    );
    assert!(say(0, &index("b", &[5, 2])).contains("`gather`"));
    assert!(say(0, &index("c", &[2])).contains("[2, 3] and [2]"));
    assert!(say(2, &index("d", &[2, 3])).contains("dimension 2 lies outside the rank, 2"));
    assert!(say(1, &x).contains("the index is f32; it takes i32 or u32"));
    let none = g.input("n", DType::F32, [2, 0]).unwrap();
    let text = none.gather(1, &index("e", &[2, 1])).unwrap_err().to_string();
    assert!(
        text.contains("x is [2, 0]: there is no element to take") && text.contains("gather/tests.rs"),
        "{text}"
    );
}

#[test]
fn an_index_outside_is_refused_before_the_run() {
    let g = Graph::new();
    let (x, i) = (g.input("x", DType::F32, [2, 3]).unwrap(), g.input("i", DType::I32, [2, 1]).unwrap());
    let y = x.gather(1, &i).unwrap();
    let mut program = crate::Device::cpu().compile(&g, &[&y], &[]).unwrap();
    for outside in [3, -1] {
        let feeds = [("x", host(&[0.0; 6], &[2, 3])), ("i", HostTensor::new(&[0, outside], [2, 1]).unwrap())];
        let text = program.run(feeds).unwrap_err().to_string();
        assert!(text.contains("0..3"), "{text}");
    }
}

#[test]
fn nothing_gathered_from_nothing_has_a_gradient() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 0]).unwrap();
    let index = g.input("index", DType::I32, [2, 0]).unwrap();
    let loss = x.gather(1, &index).unwrap().sum(&[0, 1], false).unwrap();
    let d = loss.grad(&[&x]).unwrap().remove(0);
    assert_eq!(d.shape().fixed().unwrap(), [2, 0]);
    let feeds =
        [("x", HostTensor::zeros(DType::F32, [2, 0])), ("index", HostTensor::zeros(DType::I32, [2, 0]))];
    let mut p = crate::Device::cpu().compile(&g, &[&loss, &d], &[]).unwrap();
    let got = p.run(feeds.iter().map(|(n, v)| (*n, v))).unwrap().wait().unwrap();
    assert_eq!((got[0].to_f64(), got[1].count()), (vec![0.0], 0));
}
