"""Makes the LMDB databases of this folder with py-lmdb 3.0.

    pip install lmdb pillow && python make.py [FOLDER]

images.lmdb   as BasicSR lays them out (data.mdb + meta_info.txt): two PNGs and one larger than a page (on overflow pages);
              a fourth key was deleted again
deep.mdb.gz   10,000 entries written in random order, ten of them on overflow pages; prints the digest of all of them
"""

import gzip
import hashlib
import io
import os
import random
import shutil
import sys

import lmdb
from PIL import Image

target = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))


def png(width, height, seed):
    random.seed(seed)
    image = Image.frombytes("RGB", (width, height), random.randbytes(width * height * 3))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def compacted(name, entries, dropped=()):
    path = os.path.join(target, name)
    whole = path + ".whole"
    for folder in (path, whole):
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(path)
    env = lmdb.open(whole, map_size=1 << 30)
    for start in range(0, len(entries), 1000):
        with env.begin(write=True) as txn:
            for key, value in entries[start : start + 1000]:
                txn.put(key.encode(), value)
    with env.begin(write=True) as txn:
        for key in dropped:
            txn.delete(key.encode())
    env.copy(path, compact=True)
    env.close()
    shutil.rmtree(whole)
    return path


images = [("baby", png(6, 4, 1)), ("set/bird", png(3, 5, 2)), ("large", png(40, 40, 3)), ("gone", b"x")]
path = compacted("images.lmdb", images, dropped=["gone"])
with open(os.path.join(path, "meta_info.txt"), "w") as file:
    file.write("large.png (40,40,3) 1\nbaby.png (4,6,3) 1\nset/bird.png (5,3,3) 1\n")

random.seed(4)
deep = []
for i in range(10_000):
    size = 9000 + i if i % 1000 == 0 else i % 8
    deep.append((f"{i:06d}{'k' * (i % 5)}", bytes((i + j) % 256 for j in range(size))))
digest = hashlib.sha256()
for key, value in deep:
    digest.update(f"{key} {len(value)} ".encode() + value)
random.shuffle(deep)
path = compacted("deep.lmdb", deep)
with open(os.path.join(path, "data.mdb"), "rb") as file, open(os.path.join(target, "deep.mdb.gz"), "wb") as out:
    out.write(gzip.compress(file.read(), 9, mtime=0))
shutil.rmtree(path)
print(digest.hexdigest())
