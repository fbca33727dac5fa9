"""Fixed scripts of every request: they say where the decision is made, and fail.

Whoever runs them runs nothing. PySyft lets its user approve and run a job's ``run.sh``. A securefl
request must not be decided there: what a hospital approves is the digest of the study, by a
signature of its own. So the scripts are fixed texts of ours, the inbox takes no request with any
other, and a job approved in PySyft alone does nothing but point to our command.
"""

from __future__ import annotations

COMMAND = "securefl site approve"

NOTICE = (
    "Nothing was run. This is a securefl study; the data owner reads it with 'securefl site review'"
    " and decides with 'securefl site approve' or 'securefl site refuse'. Approving it in PySyft"
    " alone runs nothing."
)

MAIN = f'''"""{NOTICE}"""

import sys

sys.exit("{NOTICE}")
'''

RUN = f"""#!/bin/sh
echo "{NOTICE}" >&2
exit 1
"""

#: Path inside a job → the only text accepted there.
FIXED = {"run.sh": RUN, "code/main.py": MAIN}
