"""The tiny models of the training tests."""

from tests.training.conftest import one_thread, tiny_llama, tokenizer_folder

__all__ = ["one_thread", "tiny_llama", "tokenizer_folder"]
