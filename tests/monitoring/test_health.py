"""When a run is well, and when it is ready."""

from __future__ import annotations

from dataclasses import dataclass

from savant_reid.monitoring.health import Health


@dataclass
class Camera:
    camera: str
    connected: bool = True
    ended: bool = False


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def health_of(*cameras: Camera) -> tuple[Health, Clock]:
    clock = Clock()
    health = Health(stall_seconds=30.0, clock=clock)
    clock.seconds = 100.0  # models take their time
    assert health.healthy().ok
    assert health.ready().cause == "starting"
    health.begin(cameras)
    return health, clock


def test_ready_from_the_first_batch_on_until_the_end():
    health, _ = health_of(Camera("door"))
    assert (health.ready().ok, health.ready().reason) == (False, "no batch yet")
    health.batch()
    assert health.ready().ok
    health.end()
    assert (health.ready().ok, health.ready().cause) == (False, "ending")


def test_a_stuck_pipeline_is_told_from_cameras_that_are_gone():
    door, hall = Camera("door"), Camera("hall")
    health, clock = health_of(door, hall)
    health.batch()
    clock.seconds += 30.0
    assert health.healthy().ok
    clock.seconds += 1.0
    stuck = health.healthy()
    assert (stuck.ok, stuck.cause) == (False, "stalled")
    assert stuck.reason == "no batch for 31 s, though frames come from door, hall: the pipeline is stuck"
    door.connected, hall.ended = False, True
    gone = health.healthy()
    assert (gone.ok, gone.cause) == (False, "cameras_gone")
    assert gone.reason == "no batch for 31 s: no camera is connected, of door, hall"
    health.batch()
    assert health.healthy().ok


def test_a_run_that_never_sees_a_frame_is_not_well():
    health, clock = health_of(Camera("door", connected=False))
    clock.seconds += 31.0
    assert health.healthy().cause == "cameras_gone"


def test_the_end_of_a_run_may_take_its_time():
    health, clock = health_of(Camera("door"))
    health.batch()
    health.end()
    clock.seconds += 1000.0
    assert health.healthy().ok


def test_the_answer_says_who_is_there():
    health, clock = health_of(Camera("door"), Camera("hall", connected=False))
    health.batch()
    clock.seconds += 1.5
    assert health.to_json(health.healthy()) == {
        "status": "ok",
        "cause": "ok",
        "reason": "",
        "batches": 1,
        "seconds_since_batch": 1.5,
        "cameras": {"door": {"connected": True, "ended": False}, "hall": {"connected": False, "ended": False}},
    }
