// Grids folded into 65535 x 65535 x 65535 workgroups, read back as one running number.
//
// The host folds a count of groups as x = min(n, 65535), then y, then z, so the grid may hold more groups than were
// asked for: every kernel checks its number against the count of work that is in its parameters.

// The running number of a workgroup: `wid` is @builtin(workgroup_id), `groups` is @builtin(num_workgroups).
fn linear_group(wid: vec3<u32>, groups: vec3<u32>) -> u32 {
    return wid.x + groups.x * (wid.y + groups.y * wid.z);
}

// The running number of an invocation: `local` is @builtin(local_invocation_index), `size` the invocations of a workgroup.
fn linear_thread(wid: vec3<u32>, groups: vec3<u32>, local: u32, size: u32) -> u32 {
    return linear_group(wid, groups) * size + local;
}
