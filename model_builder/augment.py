"""Random changes to training images: geometry for the detector, crop jitter and erasing for the embedder, and light."""

from __future__ import annotations

import cv2
import numpy as np

PAD_VALUES = (114, 0)
# A person of whom less is left inside a cut-out is neither a positive nor a negative.
LEAST_INSIDE = 0.4


def letterbox_matrix(frame_hw: tuple[int, int], input_hw: tuple[int, int], centred: bool) -> np.ndarray:
    """Frame pixels to input pixels (2, 3) float64, the aspect kept; padded on both sides or right and below only."""
    scale = min(input_hw[0] / frame_hw[0], input_hw[1] / frame_hw[1])
    shift = np.array([input_hw[1] - frame_hw[1] * scale, input_hw[0] - frame_hw[0] * scale]) / 2 * centred
    # Pixel centres lie at +0.5, so the shift of a scaled image is not zero (OpenCV counts from pixel centres).
    return np.array([[scale, 0, shift[0] + 0.5 * scale - 0.5], [0, scale, shift[1] + 0.5 * scale - 0.5]])


def letterboxed(frame: np.ndarray, input_hw: tuple[int, int], centred: bool = True, pad: int = 114) -> np.ndarray:
    """Frame (h, w, 3) uint8 inside an input of ``input_hw``."""
    return _warped(frame, letterbox_matrix(frame.shape[:2], input_hw, centred), input_hw, pad)


def _warped(frame: np.ndarray, matrix: np.ndarray, input_hw: tuple[int, int], pad: int) -> np.ndarray:
    size = (input_hw[1], input_hw[0])
    return cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(pad, pad, pad))


def moved_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) ltwh of the frame as ltrb of the input; the matrix has no rotation, its x scale may be negative."""
    scale = np.array([matrix[0, 0], matrix[1, 1]])
    shift = matrix[:, 2] + 0.5 - 0.5 * np.abs(scale) * np.sign(scale)
    first = boxes[:, :2] * scale + shift
    second = (boxes[:, :2] + boxes[:, 2:]) * scale + shift
    return np.concatenate((np.minimum(first, second), np.maximum(first, second)), axis=1).astype(np.float32)


def detector_sample(
    frame: np.ndarray,
    boxes: np.ndarray,
    visibilities: np.ndarray,
    input_hw: tuple[int, int],
    rng: np.random.Generator,
    strength: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Input (h, w, 3) uint8 BGR, boxes (n, 4) float32 ltrb in input pixels and, per box, the share that can be seen."""
    matrix = letterbox_matrix(frame.shape[:2], input_hw, bool(rng.random() < 0.7))
    if rng.random() < 0.6 * strength:
        matrix = _zoomed(matrix, frame.shape[:2], input_hw, rng)
    image = _warped(frame, matrix, input_hw, int(rng.choice(PAD_VALUES)))
    targets = moved_boxes(boxes, matrix)
    if rng.random() < 0.5:
        image = image[:, ::-1]
        targets[:, [0, 2]] = input_hw[1] - targets[:, [2, 0]]
    height, width = input_hw
    inside = _share_inside(targets, width, height)
    shares = np.where(inside < LEAST_INSIDE, 0.0, visibilities)
    targets = np.clip(targets, 0, [width, height, width, height]).astype(np.float32)
    kept = inside > 0.02
    return camera_faults(image, rng, strength), targets[kept], shares[kept].astype(np.float32)


def _zoomed(
    matrix: np.ndarray, frame_hw: tuple[int, int], input_hw: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    zoom = float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
    scales = matrix[0, 0] * zoom * np.exp(rng.uniform(-0.06, 0.06, 2))
    free = np.array([input_hw[1], input_hw[0]]) - np.array([frame_hw[1], frame_hw[0]]) * scales
    shift = free * rng.random(2)
    return np.array([[scales[0], 0, shift[0]], [0, scales[1], shift[1]]])


def _share_inside(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    clipped = np.clip(boxes, 0, [width, height, width, height])
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.prod(clipped[:, 2:] - clipped[:, :2], axis=1) / np.maximum(areas, 1e-6)


def camera_faults(image: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Exposure, cast, blur, noise and block artefacts, each drawn apart; uint8 in and out."""
    if rng.random() < 0.8 * strength:
        image = _graded(image, rng)
    if rng.random() < 0.2 * strength:
        image = cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.3 * strength:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(1, 8))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5 * strength:
        image = compressed(image, int(rng.integers(35, 91)))
    return np.ascontiguousarray(image)


def _graded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gain, contrast, gamma and a slight cast as three look-up tables."""
    levels = np.arange(256, dtype=np.float32) / 255
    curve = levels ** np.float32(rng.uniform(0.75, 1.35))
    curve = (curve - 0.5) * rng.uniform(0.75, 1.25) + 0.5 + rng.uniform(-0.1, 0.1)
    tables = np.clip(curve[:, None] * rng.uniform(0.92, 1.08, 3) * 255, 0, 255).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(image), tables.reshape(1, 256, 3))


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG and back: the 8x8 block artefacts of a low bit rate."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def embedder_sample(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crop (128, 64, 3) uint8 BGR with jittered edges, flips, mild light changes and an erased patch; hues stay."""
    height, width = crop.shape[:2]
    scale = rng.uniform(0.9, 1.15, 2)
    shift = rng.uniform(-0.06, 0.06, 2) * (width, height) + (1 - scale) * (width / 2, height / 2)
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    crop = cv2.warpAffine(crop, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    if rng.random() < 0.7:
        gain, offset = rng.uniform(0.85, 1.18), rng.uniform(-12, 12)
        crop = cv2.convertScaleAbs(np.ascontiguousarray(crop), alpha=gain, beta=max(offset, -12.0))
    if rng.random() < 0.15:
        crop = cv2.GaussianBlur(crop, (3, 3), float(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.4:
        crop = compressed(crop, int(rng.integers(40, 91)))
    return erased(crop, rng) if rng.random() < 0.45 else np.ascontiguousarray(crop)


def erased(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random erasing (Zhong et al. 2017, arXiv 1708.04896): a patch of 2 to 30 % of the area in one random colour."""
    height, width = crop.shape[:2]
    area = rng.uniform(0.02, 0.3) * height * width
    aspect = float(np.exp(rng.uniform(np.log(0.3), np.log(3.3))))
    tall, wide = min(int(np.sqrt(area * aspect)), height - 1), min(int(np.sqrt(area / aspect)), width - 1)
    top, left = int(rng.integers(0, height - tall)), int(rng.integers(0, width - wide))
    crop = np.array(crop)
    crop[top : top + tall, left : left + wide] = rng.integers(0, 256, 3)
    return crop
