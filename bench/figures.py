"""What the speed comparisons share: the processes' environment, one form of results, their table.

A result is {name, unit, precision, ours: [...], peers: {name: [...]}, flop, bytes}: what was
measured in each round, ours and PyTorch's of the same round at the same place; `unit` is ms, or
something a second; `flop` and `bytes` are of one operation: of its matrix products, and what it takes
from memory and gives to it at least, each array once, nothing between layers. Files of before have null
in their place where nobody counted. A file has {machine, ceilings, entries, notes}.

PyTorch's bf16 is left out, which the table and the file say, where an x86 processor has neither AVX-512
nor AMX: PyTorch multiplies it there at some 5 GFLOP/s, and a comparison does not end. In the
environment, UNSEEN_BENCH_TORCH_BF16=1 measures it all the same and =0 leaves it out anywhere.
"""
import argparse
import ctypes
import json
import os
import re
import statistics
import subprocess
import time

FORMAT = "unseen bench 1"
REFERENCE_BLAS = "the reference BLAS, plain loops: ratios to PyTorch's f32 say nothing; install OpenBLAS"
AVX512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
NATIVE_BF16 = {"avx512_bf16", "amx_bf16"}   # flags of processors that multiply bf16 themselves
TORCH_BF16 = "UNSEEN_BENCH_TORCH_BF16"
SET_HERE = []                               # of the environment, for PyTorch only
# Of a training step, for each parameter: read forward, the gradient written and read, the value and two
# states of the optimiser read and written. Without the optimiser: read, the gradient written.
STEP_BYTES, GRADIENT_BYTES = 4 + 2 * 4 + 6 * 4, 4 + 4


def processor():
    """The processor's name and the set of its flags, as Linux tells them."""
    found = {}
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    return found.get("model name", "unknown"), set(found.get("flags", "").split())


def find_torch():
    """PyTorch, or None where it is not installed. To be called before anything else imports it:
    libraries read the environment when they are loaded. Idle threads that spin slow everything else
    on a busy machine; and Debian's OpenBLAS does not know newer processors with AVX-512 and computes
    on them with code for much older ones, at a quarter of the speed."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    if "OPENBLAS_CORETYPE" not in os.environ and AVX512 <= processor()[1]:
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
        SET_HERE.append("OPENBLAS_CORETYPE")
    try:
        import torch
        return torch
    except ImportError:
        return None


def native_bf16():
    """Whether the processor multiplies bf16 by instructions of its own."""
    return bool(processor()[1] & NATIVE_BF16)


def without_bf16():
    """Why PyTorch's bf16 is left out, in words; None where it is measured."""
    wanted, flags = os.environ.get(TORCH_BF16, ""), processor()[1]
    if wanted not in ("", "0", "1"):
        raise SystemExit(f"{TORCH_BF16} is \"{wanted}\"; 1 measures PyTorch's bf16, 0 leaves it out")
    if wanted == "0":
        return f"left out by {TORCH_BF16}=0"
    # Other processors than x86's have no line "flags".
    if wanted == "1" or not flags or flags & (NATIVE_BF16 | {"avx512f"}):
        return None
    return f"left out: no instructions for it here ({TORCH_BF16}=1 measures it)"


def measured(peers):
    """Those of PyTorch's forms, by name, that are measured here."""
    without = without_bf16()
    return {name: peer for name, peer in peers.items() if not (without and name.endswith("bf16"))}


def torch_types(torch):
    """PyTorch's types whose rate is probed, by our names."""
    return measured({"f32": torch.float32, "bf16": torch.bfloat16}) if torch else {}


def coretype():
    """How OPENBLAS_CORETYPE stands for PyTorch, in words."""
    if "OPENBLAS_CORETYPE" not in os.environ:
        return "not set"
    by = "the bench" if SET_HERE else "the environment"
    return f"{os.environ['OPENBLAS_CORETYPE']}, set by {by}"


def blas():
    """The library that PyTorch's f32 products come from, of those that this process has loaded."""
    with open("/proc/self/maps") as f:
        paths = sorted({line.split()[-1] for line in f if re.search(r"/lib(mkl_rt|.*blas)[^/]*\.so", line)})
    for path in paths:
        if "openblas" in path or "openblas" in os.path.realpath(path):
            core = ctypes.CDLL(path).openblas_get_corename
            core.restype = ctypes.c_char_p
            return f"OpenBLAS for {core().decode()}"
    if any("mkl" in path for path in paths):
        return "MKL"
    return REFERENCE_BLAS if any("libblas" in path for path in paths) else "not told"


def count(text):
    """Of options: a whole number from 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


count.__name__ = "number from 1"            # what argparse calls a value that is none


def writable(text):
    """Of options: a file that can be written, which is known before hours of measuring."""
    if os.path.isdir(text) or not os.access(os.path.dirname(text) or ".", os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write {text}")
    return text


def run(command):
    """A bench of the program, without what was set for PyTorch. The object that it prints."""
    environment = {key: value for key, value in os.environ.items() if key not in SET_HERE}
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        return json.loads(done.stdout)
    except OSError as e:
        raise SystemExit(f"{command[0]}: {e.strerror}") from None
    except subprocess.CalledProcessError as e:
        raise SystemExit(f"{' '.join(command)}: ended with {e.returncode}") from None
    except ValueError:
        raise SystemExit(f"{' '.join(command)}: prints no JSON; is it unseen?") from None


def element(run):
    """Bytes of an operand of the products."""
    return 2 if run["precision"] == "bf16" else 4


def batch_bytes(run):
    """Of the features of a step, which benches keep in the type of the products."""
    shape = run["shape"]
    return shape["batch"] * shape["regions"] * shape["features"] * element(run)


PROBE_SIDE = 1024


def probe_entry(precision, values, peers):
    """The rate of one square product."""
    run = {"precision": precision}
    return entry(f"product {PROBE_SIDE} x {PROBE_SIDE} x {PROBE_SIDE}", "GFLOP/s", [run], values, peers,
                 2 * PROBE_SIDE ** 3, PROBE_SIDE ** 2 * (2 * element(run) + 4))


def probe(torch, dtype, side=PROBE_SIDE, runs=5):
    """PyTorch's own rate of one square product, GFLOP/s."""
    x, times = torch.rand(side, side).to(dtype), []
    for _ in range(runs):
        start = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - start)
    return 2e-9 * side ** 3 / min(times)


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def version(torch):
    if not torch:
        return "without PyTorch, which is not installed"
    without = without_bf16()
    return (f"PyTorch {torch.__version__} (OPENBLAS_CORETYPE {coretype()}; f32 by {blas()}" +
            (f"; bf16 {without})" if without else ")"))


# ---- results ----

def entry(name, unit, runs, ours, peers, flop, moved):
    """`runs` are the program's own results, which tell the precision that it computed in; `moved`: the
    bytes of an operation."""
    return {"name": name, "unit": unit, "precision": runs[0]["precision"], "ours": ours,
            "peers": peers, "flop": flop, "bytes": moved}


def write(path, torch, threads, entries):
    """What one comparison leaves for the common file."""
    document = {"pytorch": torch.__version__ if torch else None, "blas": blas() if torch else None,
                "openblas_coretype": coretype() if torch else None,
                "pytorch_bf16": (without_bf16() or "measured") if torch else None,
                "threads": threads, "entries": entries}
    with open(path, "w") as f:
        json.dump(document, f, indent=1)


def document(ceilings, parts):
    """All of a run: what `unseen bench ceilings` printed each time, and each comparison's file."""
    program, part = ceilings[0], parts[0]
    machine = {"cpu": processor()[0], "features": program["features"], "threads": part["threads"],
               "kernels": program["kernels"], "bf16_way": program["bf16_way"], "unseen": program["version"],
               "backend": program["backend"], "pytorch": part["pytorch"], "blas": part["blas"],
               "openblas_coretype": part["openblas_coretype"], "pytorch_bf16": part["pytorch_bf16"]}
    return {"format": FORMAT, "machine": machine, "ceilings": [c["ceilings"] for c in ceilings],
            "entries": [e for p in parts for e in p["entries"]], "notes": []}


def read(path):
    """A document; one of another form ends the process."""
    try:
        with open(path) as f:
            found = json.load(f)
    except (OSError, ValueError) as problem:
        raise SystemExit(f"{path}: {problem}")
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise SystemExit(f"{path}: no results of `make bench`")
    return found


def is_rate(e):
    return e["unit"].endswith("/s")


def ratios(e, peer):
    """How many times as fast as the peer, round by round."""
    pairs = zip(e["ours"], e["peers"][peer])
    return [u / t if is_rate(e) else t / u for u, t in pairs]


def which_threads(document):
    return "one_thread" if document["machine"]["threads"] == 1 else "all_threads"


def ceiling(document, key):
    """The best of all runs: the ceiling is what the machine can give, not what it gave others."""
    return max(c[key][which_threads(document)] for c in document["ceilings"])


def giga_per_s(e, key):
    """Billions of operations or bytes a second; None where nobody counted them."""
    middle, each = statistics.median(e["ours"]), e.get(key)
    if e["unit"] == "GFLOP/s":
        return middle if key == "flop" else each and each * middle / e["flop"]
    return each and (each * middle / 1e9 if is_rate(e) else each / middle / 1e6)


def share(e, document, key="flop"):
    """Of the ceiling of the precision that was computed in; with "bytes", of memory that is read."""
    rate = giga_per_s(e, key)
    return rate / ceiling(document, e["precision"] if key == "flop" else "read") if rate else None


def table(document):
    """A document as text."""
    m = document["machine"]
    lines = [f"{m['cpu']}, {m['threads']} threads; unseen {m['unseen']}, {m['backend']}, bf16 by {m['bf16_way']}",
             f"PyTorch {m['pytorch']}, OPENBLAS_CORETYPE {m['openblas_coretype']}; its f32 by {m['blas']}"
             if m["pytorch"] else "without PyTorch, which is not installed"]
    if m.get("pytorch_bf16", "measured") not in (None, "measured"):
        lines.append(f"PyTorch's bf16 {m['pytorch_bf16']}")
    lines += document["notes"]
    lines += ["", f"{'ceilings':44s} {'one thread':>12s} {'all':>12s}"]
    for key, first in document["ceilings"][0].items():
        one, every = (max(c[key][which] for c in document["ceilings"]) for which in ("one_thread", "all_threads"))
        lines.append(f"  {key + ', ' + first['unit']:42s} {one:12.1f} {every:12.1f}")
    lines += ["", f"{'operation':44s} {'median (least to most)':>34s} {'of ceiling':>12s} {'of memory':>12s}"]
    for e in document["entries"]:
        parts = [share(e, document, key) for key in ("flop", "bytes")]
        shares = " ".join(f"{f'{100 * part:.0f} %' if part else '':>12s}" for part in parts)
        name, values = f"{e['name']}, {e['precision']}", f"{spread(e['ours'], '.1f')} {e['unit']}"
        lines.append(f"{name:44s} {values:>34s} {shares}".rstrip())
        lines += [f"    {spread(ratios(e, peer), '.2f')} x PyTorch {peer}" for peer in e["peers"]]
    return "\n".join(lines)
