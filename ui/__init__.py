"""The only importer of Streamlit besides the pages: caches, state, controls, live view, figures, components."""
