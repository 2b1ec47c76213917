/**
 * Loads restored checkpoints with the libraries that wrote them: `npm run test:interop`. Installs what it can of those libraries,
 * Python packages into virtual environments and npm packages into a folder, all below one directory; runs test/interop/*.interop.ts;
 * and says at the end what could not be installed. Tests of what is missing are skipped. Arguments go to vitest.
 *
 * THETALOG_INTEROP_DIR names the directory: it stays, and what it holds is used again. Otherwise it is a temporary one.
 * Needs a built dist/ and, for anything in Python, python3 with venv and pip.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Each library: the environment it is installed into, what pip is asked for (alternatives in order) and what must import then.
 * Libraries of one environment build on one another; those of different ones cannot disturb each other.
 */
const PYTHON_LIBRARIES = [
  {
    name: 'torch',
    env: 'torch',
    pip: ['torch==2.13.0+cpu numpy safetensors', 'torch numpy safetensors'],
    imports: 'torch, numpy, safetensors',
  },
  {
    name: 'transformers',
    env: 'torch',
    needs: 'torch',
    pip: ['transformers accelerate'],
    imports: 'transformers, accelerate',
  },
  {
    name: 'lightning',
    env: 'torch',
    needs: 'torch',
    pip: ['pytorch-lightning'],
    imports: 'pytorch_lightning',
  },
  {
    name: 'tensorflow',
    env: 'tensorflow',
    pip: ['tensorflow-cpu keras numpy', 'tensorflow keras numpy'],
    imports: 'tensorflow, keras',
  },
  { name: 'jax', env: 'jax', pip: ['jax optax numpy safetensors'], imports: 'jax, optax, safetensors' },
  { name: 'orbax', env: 'jax', needs: 'jax', pip: ['orbax-checkpoint'], imports: 'orbax.checkpoint' },
  { name: 'gguf', env: 'gguf', pip: ['gguf numpy'], imports: 'gguf' },
];

const NPM_PACKAGES = ['@tensorflow/tfjs@4.22.0', '@tensorflow/tfjs-backend-wasm@4.22.0'];

/** No import may take longer, and no download. */
const IMPORT_MS = 180_000;
const INSTALL_MS = 900_000;

const kept = process.env.THETALOG_INTEROP_DIR;
const folder = kept ? resolve(kept) : mkdtempSync(join(tmpdir(), 'thetalog-interop-'));
const environment = {
  ...process.env,
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONWARNINGS: 'ignore',
  TF_CPP_MIN_LOG_LEVEL: '3',
};
const installed = { python: {}, npm: null, missing: {} };

function run(command, args, timeout) {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout, env: environment, maxBuffer: 1 << 26 });
  const said = `${done.stderr ?? ''}\n${done.stdout ?? ''}`.trim().split('\n').at(-1);
  const reason =
    done.error?.code === 'ETIMEDOUT' ? `no answer in ${timeout / 1000} s` : (done.error?.message ?? said);
  return { ok: done.status === 0, reason };
}

function imports(python, modules) {
  return existsSync(python) && run(python, ['-c', `import ${modules}`], IMPORT_MS).ok;
}

function pythonOf(env) {
  return join(folder, env, 'bin', 'python');
}

/** Returns why the library cannot be used, or undefined. */
function installPython({ name, env, needs, pip, imports: modules }) {
  if (needs !== undefined && installed.python[needs] === undefined) return `needs ${needs}`;
  const python = pythonOf(env);
  installed.python[name] = python;
  if (imports(python, modules)) return undefined;
  if (!existsSync(python)) {
    const made = run('python3', ['-m', 'venv', join(folder, env)], INSTALL_MS);
    if (!made.ok) return `python3 -m venv: ${made.reason}`;
  }
  let why;
  for (const packages of pip) {
    console.log(`pip install ${packages}`);
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
    const done = run(python, [...args, ...packages.split(' ')], INSTALL_MS);
    why = `pip: ${done.reason}`;
    if (done.ok && imports(python, modules)) return undefined;
    if (done.ok) why = `installed, but "import ${modules}" fails`;
  }
  return why;
}

/** The old torch comes from the distribution only: as root it is installed, otherwise used where it is. */
function installOldTorch() {
  const python = '/usr/bin/python3';
  const probe = ['-c', 'import torch, numpy; assert torch.__version__.startswith("1.13"), torch.__version__'];
  installed.python['torch 1.13'] = python;
  if (!existsSync(python)) return 'no /usr/bin/python3';
  if (run(python, probe, IMPORT_MS).ok) return undefined;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    return 'not installed, and not root on Debian';
  console.log('apt-get install python3-torch python3-numpy');
  environment.DEBIAN_FRONTEND = 'noninteractive';
  run('apt-get', ['update', '-qq'], IMPORT_MS);
  const packages = ['python3-torch', 'python3-numpy'];
  const done = run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], INSTALL_MS);
  if (!done.ok) return `apt-get: ${done.reason}`;
  const works = run(python, probe, IMPORT_MS);
  return works.ok ? undefined : works.reason;
}

function installNpm() {
  const place = join(folder, 'npm');
  installed.npm = place;
  const present = () =>
    NPM_PACKAGES.every((name) => existsSync(join(place, 'node_modules', name.replace(/@[\d.]+$/, ''))));
  if (present()) return undefined;
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), '{ "private": true }\n');
  console.log(`npm install ${NPM_PACKAGES.join(' ')}`);
  const quiet = ['--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error'];
  const done = run('npm', ['install', '--prefix', place, ...quiet, ...NPM_PACKAGES], INSTALL_MS);
  return done.ok && present() ? undefined : `npm: ${done.reason}`;
}

function installAll() {
  mkdirSync(folder, { recursive: true });
  for (const library of PYTHON_LIBRARIES) note(library.name, installPython(library));
  note('torch 1.13', installOldTorch());
  const why = installNpm();
  if (why !== undefined) installed.npm = null;
  if (why !== undefined) installed.missing.tfjs = why;
}

function note(name, why) {
  if (why === undefined) return;
  delete installed.python[name];
  installed.missing[name] = why;
}

let status = 1;
try {
  installAll();
  const list = join(folder, 'installed.json');
  writeFileSync(list, `${JSON.stringify(installed, null, 2)}\n`);
  const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
  const args = ['run', '--config', 'vitest.interop.config.ts', ...process.argv.slice(2)];
  const root = join(import.meta.dirname, '..');
  const env = { ...environment, THETALOG_INTEROP_INSTALLED: list };
  status = spawnSync(process.execPath, [vitest, ...args], { stdio: 'inherit', cwd: root, env }).status ?? 1;
  const missing = Object.entries(installed.missing);
  console.log(
    `\ninstalled: ${[...Object.keys(installed.python), ...(installed.npm ? ['tfjs'] : [])].join(', ') || 'nothing'}`,
  );
  for (const [name, why] of missing) console.log(`NOT INSTALLED, its tests were skipped: ${name}: ${why}`);
} finally {
  if (!kept) rmSync(folder, { recursive: true, force: true });
}
process.exit(status);
