// x g(x), from a gate g and its derivatives. Where a factor of x has vanished so has the product, infinite x included.

struct KwGate {
    g: f32,
    d1: f32,
    d2: f32,
}

fn kw_vanishing(grows: f32, decays: f32) -> f32 {
    return select(grows * decays, 0.0, decays == 0.0);
}

fn kw_gated(x: f32, gate: KwGate) -> f32 {
    return kw_vanishing(x, gate.g);
}

fn kw_gated_d1(x: f32, gate: KwGate) -> f32 {
    return gate.g + kw_vanishing(x, gate.d1);
}

fn kw_gated_d2(x: f32, gate: KwGate) -> f32 {
    return 2.0 * gate.d1 + kw_vanishing(x, gate.d2);
}
