"""A host that takes pushes: its apps, their repositories, and what happens to a pushed commit."""
