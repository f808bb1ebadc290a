"""A program as people write it: the `openai` package, with nothing but the variables that it reads by itself."""

import os

from openai import OpenAI

client = OpenAI(max_retries=0)
answer = client.chat.completions.create(model="any", messages=[{"role": "user", "content": "Say hello."}])
print(answer.choices[0].message.content)
print("left over:", sorted(name for name in os.environ if name.startswith("IBYOK_")))
