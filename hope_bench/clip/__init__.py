"""open_clip: images and texts to embeddings, image embeddings kept on disk."""
