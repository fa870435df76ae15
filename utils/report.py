"""Versions and devices of this installation, to be put into the report of a fault.

    python3 -m utils.report

Names no person, no folder and no file.
"""
import importlib.metadata
import os
import pathlib
import platform
import subprocess

_PACKAGES = ('tensorflow', 'tf-slim', 'numpy', 'opencv-python', 'opencv-python-headless',
             'matplotlib')


def version() -> str:
    """This code's commit and the versions of Python and of the packages, in one line."""
    return (f'SSD {_commit()}; Python {platform.python_version()}; '
            + ', '.join(f'{name} {found}' for name in _PACKAGES if (found := _installed(name))))


def _installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ''


def _commit():
    """The git commit of this code, '+' where files were changed; 'without git' where none is."""
    folder = pathlib.Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(['git', '-C', folder, 'describe', '--always', '--dirty=+',
                               '--exclude=*'], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return 'without git'
    return done.stdout.strip() or 'without git'


def main() -> None:
    print(version())
    print(f'{platform.system()} {platform.release()}, {platform.machine()}, '
          f'{os.cpu_count()} cores')
    import tensorflow as tf  # slow, and not needed for --version
    for device in tf.config.list_physical_devices('GPU'):
        details = tf.config.experimental.get_device_details(device)
        print(f'{details.get("device_name", "GPU")}, compute capability '
              f'{".".join(map(str, details.get("compute_capability", ("unknown",))))}')
    if not tf.config.list_physical_devices('GPU'):
        print('TensorFlow finds no GPU')
    build = tf.sysconfig.get_build_info()
    print(f'TensorFlow is built for CUDA {build.get("cuda_version", "none")}, '
          f'cuDNN {build.get("cudnn_version", "none")}')


if __name__ == '__main__':
    main()
