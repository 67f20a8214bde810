"""What pyproject.toml cannot say: model/ and the sample travel inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["nodegen*"]), "nodegen.model", "nodegen.sample"],
    package_dir={"nodegen.model": "model", "nodegen.sample": "test/sample/input"},
)
