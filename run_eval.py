"""Evaluate a model, score it and rebuild the leaderboard in one go. Alone, it runs the demo.

python run_eval.py
python run_eval.py --model llava-hf/llava-1.5-7b-hf --benchmark hope-coco --images val2014
"""

from hope_bench.cli import run_command
from hope_bench.cli.run_eval import run_eval

if __name__ == "__main__":
    run_command(run_eval)
