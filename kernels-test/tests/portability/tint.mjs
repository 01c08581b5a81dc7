// Reads a JSON array of {name, code} and writes, as its last line, one of {name, errors} for the modules that Tint
// refuses (Dawn prints messages of its own before). The folder in KNOTWORK_TINT holds the npm package `webgpu`, which is
// Dawn; its null backend compiles shaders without any driver.
import { createRequire } from 'node:module';
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.env.KNOTWORK_TINT, 'package.json'));
const { create, globals } = await import(pathToFileURL(require.resolve('webgpu')));
Object.assign(globalThis, globals);

// Kept to the end: what the collector takes of these pulls the memory from under the others.
globalThis.gpu = create(['backend=null']);
globalThis.adapter = await gpu.requestAdapter();
globalThis.device = await adapter.requestDevice({ requiredFeatures: [...adapter.features] });
const refused = [];
for (const { name, code } of JSON.parse(readFileSync(0, 'utf8'))) {
    const module = device.createShaderModule({ code });
    const errors = (await module.getCompilationInfo()).messages
        .filter((m) => m.type === 'error')
        .map((m) => `${m.lineNum}: ${m.message}`);
    if (errors.length > 0) {
        refused.push({ name, errors });
    }
}
writeSync(1, `\n${JSON.stringify(refused)}\n`);
process.exit(0); // the device keeps the process alive
