"""What pyproject.toml cannot say: the top level's model/ travels inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["nodegen*"]), "nodegen.model"],
    package_dir={"nodegen.model": "model"},
)
