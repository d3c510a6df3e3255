from fpliif_jax.commands.one_module import be_one_module

be_one_module(__name__)
