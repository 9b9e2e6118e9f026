"""Runs a notebook from start to end as a reader would, in its own folder, and writes it with its outputs.
Prints {"texts": [[cell id, text], ...], "pictures": [{"cell": id, "width": w, "height": h, "colours": n}, ...]}.
Usage: run_notebook.py NOTEBOOK OUT FOLDER_OF_ROLETRAIL [PARAMETERS]

PARAMETERS is a file of Python that takes the place of the cell tagged "parameters".
"""

import base64
import io
import json
import os
import pathlib
import sys
import tempfile

import nbformat
from nbclient import NotebookClient
from PIL import Image


def run(notebook, folder):
    kept = ["PATH", "HOME", "LANG", "TMPDIR"]
    with tempfile.TemporaryDirectory() as scratch:
        # Nothing of the user's own settings, and nothing written to them.
        for name in ["IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"]:
            os.environ[name] = scratch
            kept.append(name)
        # The first import makes a list of fonts and, where that takes long, says so.
        import matplotlib.font_manager  # noqa: F401

        environment = {name: os.environ[name] for name in kept if name in os.environ}
        client = NotebookClient(
            notebook,
            timeout=300,
            startup_timeout=300,
            kernel_name="python3",
            record_timing=False,
            # What a cell prints comes in as many pieces as the kernel found time for.
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=environment)


def outputs(notebook):
    texts, pictures = [], []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
                colours = len(image.getcolors(1 << 24))
                pictures.append({"cell": cell.id, "width": image.width, "height": image.height, "colours": colours})
            else:
                texts.append([cell.id, output.get("text") or data["text/plain"]])
    return {"texts": texts, "pictures": pictures}


if __name__ == "__main__":
    source, out, binaries = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
    os.environ["PATH"] = os.pathsep.join([str(binaries), os.environ["PATH"]])
    notebook = nbformat.read(source, as_version=4)
    if len(sys.argv) > 4:
        tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        [cell] = tagged
        cell.source = pathlib.Path(sys.argv[4]).read_text()
    run(notebook, source.parent)
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, out)
    print(json.dumps(outputs(notebook)))
