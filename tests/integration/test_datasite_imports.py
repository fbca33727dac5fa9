"""Who only needs names and values of this room pays for no PySyft."""

import subprocess
import sys


def test_the_door_and_the_values_import_no_pysyft_and_pysyft_brings_no_torch():
    code = (
        "import sys\nfrom securefl.datasite import address, models, site\n"
        "address.site_email('SVI'), models.Request, models.Peer, site.open_datasite\nassert not [m for m in sys.modules if"
        " m.split('.')[0].startswith('syft') or m == 'urllib3'], 'syft'\nimport"
        " securefl.datasite.client, socket, logging, urllib3.util.connection as u\nassert 'torch'"
        " not in sys.modules and 'opacus' not in sys.modules\nassert u.HAS_IPV6 =="
        " socket.has_ipv6\nassert [type(h).__name__ for h in logging.getLogger('syft').handlers] =="
        " ['NullHandler']\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
