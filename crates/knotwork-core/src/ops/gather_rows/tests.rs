use crate::{DType, Device, Dim, Graph, HostTensor, Tensor, ops::testing::*};

fn index(values: &[i32], shape: &[usize]) -> HostTensor {
    HostTensor::new(values, shape).unwrap()
}

fn table_and_index(g: &Graph, rows: usize, columns: usize, shape: &[usize]) -> (Tensor, Tensor) {
    let table = g.input("table", DType::F32, [rows, columns]).unwrap();
    (table, g.input("index", DType::I32, shape).unwrap())
}

#[test]
fn rows_are_taken_and_their_gradients_added() {
    let g = Graph::new();
    let (table, i) = table_and_index(&g, 3, 2, &[2, 2]);
    let y = table.gather_rows(&i).unwrap();
    assert_eq!(y.shape().to_string(), "[2, 2, 2]");
    let weights = g.tensor(host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[2, 2, 2])).unwrap();
    let d = y.mul(&weights).unwrap().sum(&[0, 1, 2], false).unwrap().grad(&[&table]).unwrap().remove(0);
    let feeds =
        [("table", host(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], &[3, 2])), ("index", index(&[2, 0, 2, 2], &[2, 2]))];
    let got = both(&g, &[&y, &d], &feeds);
    let f = |x: f32| f64::from(x);
    assert_eq!(got[0], [0.5, 0.6, 0.1, 0.2, 0.5, 0.6, 0.5, 0.6].map(f));
    assert_eq!(got[1], [3.0, 4.0, 0.0, 0.0, 13.0, 16.0]);
}

#[test]
fn an_index_outside_is_refused_by_name() {
    let g = Graph::new();
    let (table, i) = table_and_index(&g, 3, 1, &[2]);
    let mut program = Device::cpu().compile(&g, &[&table.gather_rows(&i).unwrap()], &[]).unwrap();
    for bad in [3, -1] {
        let feeds = [("table", host(&[1.0, 2.0, 3.0], &[3, 1])), ("index", index(&[0, bad], &[2]))];
        let text = program.run(feeds).unwrap_err().to_string();
        assert!(
            text.contains(&format!("input `index` holds index {bad} at 1, outside 0..3 of `gather_rows`")),
            "{text}"
        );
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let (table, i) = table_and_index(&g, 3, 2, &[2]);
    let text = i.gather_rows(&i).unwrap_err().to_string();
    assert!(
        text.contains("`gather_rows` of (i32[2], i32[2]): the table is [2]; it must be [N, D]"),
        "{text}"
    );
    assert!(
        table.gather_rows(&table).unwrap_err().to_string().contains("the index is f32; it takes i32 or u32")
    );
    let none = g.input("none", DType::F32, [0, 2]).unwrap();
    assert!(none.gather_rows(&i).unwrap_err().to_string().contains("there is no row to take"));
}

#[test]
fn names_of_dimensions_pass_through() {
    let g = Graph::new();
    let table = g.input("table", DType::F32, [Dim::named("words"), 2.into()]).unwrap();
    let i = g.input("index", DType::U32, [Dim::named("batch")]).unwrap();
    let y = table.gather_rows(&i).unwrap();
    assert_eq!(y.shape().to_string(), "[batch, 2]");
    let d = y.sum(&[0, 1], false).unwrap().grad(&[&table]).unwrap().remove(0);
    let feeds = [
        ("table", host(&[1.0, 2.0, 3.0, 4.0], &[2, 2])),
        ("index", HostTensor::new(&[1u32, 1, 1], [3]).unwrap()),
    ];
    let got = both(&g, &[&y, &d], &feeds);
    assert_eq!(got[0], [3.0, 4.0, 3.0, 4.0, 3.0, 4.0]);
    assert_eq!(got[1], [0.0, 0.0, 3.0, 3.0]);
}
