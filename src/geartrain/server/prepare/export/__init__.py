"""What `gear server prepare` does, written down for tools that other people run.

Pure: what is known of the steps (`contents`, `layout`, `system`) becomes text.
"""
