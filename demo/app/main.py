"""The API of the claims assistant."""

import joblib
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

from app.agent import handle_claim
from app.rag import answer

app = FastAPI(title="claims assistant")
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])

scorer = joblib.load("models/claim_scorer.pkl")


class Question(BaseModel):
    text: str


@app.post("/ask")
def ask(question: Question) -> dict:
    return {"answer": answer(question.text)}


@app.post("/claims/{claim}/handle")
def handle(claim: str, question: Question) -> dict:
    return {"score": scorer.predict([[len(question.text)]])[0], "log": handle_claim(claim)}
