//! Chapter 1: functions that stop in the middle.
