# A test copies ../device.py beside the submission.
from ..device import Device as Device
