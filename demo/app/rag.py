"""Retrieval: claims documents go into a vector store, answers come out of a hosted model."""

import chromadb
from datasets import load_dataset
from openai import OpenAI
from transformers import AutoModel, AutoTokenizer

EMBEDDER = "acme-research/claims-embedder"

client = OpenAI()
tokenizer = AutoTokenizer.from_pretrained(EMBEDDER)
embedder = AutoModel.from_pretrained(EMBEDDER, trust_remote_code=True)
store = chromadb.HttpClient(host="vectors", port=8000)
claims = store.get_or_create_collection("claims")


def index() -> None:
    corpus = load_dataset("acme-research/claims-history", split="train", trust_remote_code=True)
    for number, row in enumerate(corpus):
        claims.add(ids=[str(number)], documents=[row["text"]])


def answer(question: str) -> str:
    found = claims.query(query_texts=[question], n_results=5)
    context = "\n".join(found["documents"][0])
    reply = client.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": f"Answer from these documents:\n{context}"},
            {"role": "user", "content": question},
        ],
    )
    return reply.choices[0].message.content
