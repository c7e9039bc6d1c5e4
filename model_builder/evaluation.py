"""Figures of the ONNX files on simulated people and frames that the training never saw."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime

from model_builder.augment import compressed, letterbox_matrix, letterboxed, moved_boxes
from model_builder.data import CropSet, FrameSet
from model_builder.identification import closed_set, search
from model_builder.metrics import FrameResult, average_precision, recall_and_alarms, suppressed

# Savant's own defaults are 0.5 for both; a tracker wants the weaker detections too.
LEAST_SCORE, NMS_IOU = 0.05, 0.6
LEAST_VISIBILITY = 0.25
JPEG_QUALITY = 75


def session_of(file: Path) -> onnxruntime.InferenceSession:
    """One thread, as many streams side by side would have."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def decoded(
    output: np.ndarray, least_score: float = LEAST_SCORE, nms_iou: float = NMS_IOU
) -> tuple[np.ndarray, np.ndarray]:
    """One frame's (5, anchors) to boxes (n, 4) ltrb and scores (n,), best first."""
    chosen = output[:, output[4] >= least_score]
    centres, sizes, scores = chosen[:2].T, chosen[2:4].T, chosen[4]
    boxes = np.concatenate((centres - sizes / 2, centres + sizes / 2), axis=1)
    kept = suppressed(boxes, scores, nms_iou)
    return boxes[kept], scores[kept]


def evaluate_detector(file: Path, frames: FrameSet, confidence: float = 0.3) -> dict[str, float]:
    """AP50, AP75, recall and false alarms a frame at ``confidence``, and milliseconds a frame on one thread."""
    session = session_of(file)
    _, _, *input_hw = session.get_inputs()[0].shape
    results, seconds = [], 0.0
    for i in range(len(frames)):
        image = letterboxed(compressed(frames.frames[i], JPEG_QUALITY), tuple(input_hw))
        inputs = np.ascontiguousarray(image[None, ..., ::-1].transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        start = time.perf_counter()
        output = session.run(None, {"images": inputs})[0][0]
        seconds += time.perf_counter() - start
        truth = moved_boxes(frames.boxes[i], letterbox_matrix(frames.frames[i].shape[:2], tuple(input_hw), True))
        results.append(FrameResult(*decoded(output), truth, frames.visibilities[i] < LEAST_VISIBILITY))
    recall, alarms = recall_and_alarms(results, confidence)
    return {
        "ap50": round(average_precision(results, 0.5), 4),
        "ap75": round(average_precision(results, 0.75), 4),
        f"recall_at_{confidence}": round(recall, 4),
        f"false_alarms_per_frame_at_{confidence}": round(alarms, 4),
        "frames": len(frames),
        "people": int(sum(int((~result.ignored).sum()) for result in results)),
        "milliseconds_per_frame": round(seconds / len(frames) * 1e3, 2),
    }


def embedded(session: onnxruntime.InferenceSession, crops: np.ndarray, batch: int = 8) -> np.ndarray:
    """Crops (n, 128, 64, 3) uint8 BGR to embeddings (n, D)."""
    inputs = crops[..., ::-1].transpose(0, 3, 1, 2)
    parts = [
        session.run(None, {"images": np.ascontiguousarray(inputs[i : i + batch], np.float32)})[0]
        for i in range(0, len(inputs), batch)
    ]
    return np.concatenate(parts)


def evaluate_embedder(file: Path, crops: CropSet) -> dict[str, float]:
    """Rank-1 and mAP across cameras, where every crop asks all others; similarities of same and different people;
    milliseconds a crop on one thread."""
    session = session_of(file)
    start = time.perf_counter()
    embeddings = embedded(session, crops.crops)
    seconds = time.perf_counter() - start
    everybody = embeddings, crops.people, crops.cameras
    found = closed_set(search(*everybody, *everybody))
    similarities = embeddings @ embeddings.T
    same_person = crops.people[:, None] == crops.people[None]
    across = crops.cameras[:, None] != crops.cameras[None]
    return {
        "rank1": round(found.rank1, 4),
        "map": round(found.mean_average_precision, 4),
        "queries": found.queries,
        "people": len(np.unique(crops.people)),
        "similarity_same_person_across_cameras": round(float(similarities[same_person & across].mean()), 4),
        "similarity_different_people": round(float(similarities[~same_person].mean()), 4),
        "milliseconds_per_crop": round(seconds / len(crops) * 1e3, 2),
    }
