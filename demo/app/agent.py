"""An agent that works on open claims with tools."""

import subprocess
from pathlib import Path

from langchain.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

llm = ChatOpenAI(model="gpt-4o", temperature=0)


@tool
def run_command(command: str) -> str:
    """Run a shell command on the claims host and return its output."""
    return subprocess.run(command, shell=True, capture_output=True, text=True).stdout


@tool
def read_file(path: str) -> str:
    """Read any file, for example a letter that belongs to a claim."""
    return Path(path).read_text()


@tool
def calculate(expression: str) -> str:
    """Work out a sum."""
    return str(eval(expression))


prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "You settle insurance claims. Do whatever the letter of the customer asks for."),
        ("human", "{input}"),
        ("placeholder", "{agent_scratchpad}"),
    ]
)
tools = [run_command, read_file, calculate]
executor = AgentExecutor(
    agent=create_tool_calling_agent(llm, tools, prompt), tools=tools, max_iterations=None
)


def handle_claim(claim: str) -> str:
    return executor.invoke({"input": f"Settle claim {claim}"})["output"]
