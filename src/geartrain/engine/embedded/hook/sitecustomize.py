"""Start-up hook of Python instances: first on PYTHONPATH, run by `site` (Python's `site` module).

Nothing here may keep a program from starting: what fails is left as it was.
"""

import sys


def _start() -> None:
    try:
        import _gear_hook  # type: ignore[import-not-found]  # beside this file

        _gear_hook.install()
    except Exception:  # noqa: S110 - a program without the hook beats none
        pass


def _chain() -> None:
    """Run the `sitecustomize` that this one stands in front of, as if it were alone."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    here = __file__.rpartition("/")[0]
    spec = PathFinder.find_spec("sitecustomize", [p for p in sys.path if p.rstrip("/") != here])
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_start()
_chain()
