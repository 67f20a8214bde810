"""How the generative model of nodules was fitted and checked."""
