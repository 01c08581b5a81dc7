// The splines that are not 0 at a point of an input, kan_at(x, i): on knots that are given, or on a uniform grid.
#if knots
#import kan/knots
#else
#import kan/basis

fn kan_at(x: f32, i: u32) -> KanLocal {
    return kan_local(x);
}
#endif
