"""A Look as the arrays that the renderer reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulated_site import parts as pt
from simulated_site import texture as tx
from simulated_site.looks import Garment, Look

SOFT = 0.05  # depth of the folds' shading


@dataclass(frozen=True)
class Figure:
    """body: (len(BODY),) float64; materials: (MATERIALS, MATERIAL_COLUMNS) float64."""

    body: np.ndarray
    materials: np.ndarray


def _plain(row: np.ndarray, colour: tuple[float, float, float], fold: float = 0.0) -> None:
    row[0] = tx.PLAIN
    row[1:4] = row[4:7] = row[7:10] = colour
    row[10], row[31], row[32] = 1.0, fold, 24.0


def _cloth(row: np.ndarray, garment: Garment, fold: float = SOFT) -> None:
    row[0] = garment.pattern
    row[1:4], row[4:7], row[7:10] = garment.colours
    row[10], row[11], row[12] = garment.size_m, garment.share, round(garment.size_m * 1e4)
    row[31], row[32] = fold, 24.0


def _body(look: Look) -> np.ndarray:
    swing, elbow, stride, lean, arm_out, toe_out, loose = look.gait
    values = {
        "height": look.height_m,
        "girth": look.girth,
        "shoulders": look.shoulders,
        "hips": look.hips,
        "legs": 0.505 - 0.02 * (look.hips - 1.0),
        "head": 1.0,
        "hair_style": look.hair_style,
        "hair_volume": look.hair_volume,
        "hat": look.hat,
        "bag": look.bag,
        "lower": look.lower,
        "coat": look.coat,
        "sleeve": float(look.long_sleeves),
        "arm_swing": swing,
        "elbow": elbow,
        "stride": stride,
        "lean": lean,
        "arm_out": arm_out + 0.12 * max(0.0, look.girth - 1.0),
        "belly": look.belly,
        "bag_side": look.bag_side,
        "toe_out": toe_out,
        "loose": loose,
    }
    return np.array([values[name] for name in pt.BODY], dtype=np.float64)


def _dress_top(materials: np.ndarray, look: Look) -> None:
    for row in (materials[pt.TOP], materials[pt.SLEEVE]):
        _cloth(row, look.top)
    if look.top.pattern == tx.BLOCKS:  # sleeves take the upper colour
        _plain(materials[pt.SLEEVE], look.top.colours[1], SOFT)
    row, flags = materials[pt.TOP], 0
    if look.open_front > 0:
        flags, row[15], row[34:37] = flags | tx.OPEN_FRONT, look.open_front, look.shirt
    if look.chest_logo:
        flags, row[16:19], row[19:23] = flags | tx.CHEST_LOGO, look.logo, look.chest_logo
    if look.back_print:
        flags, row[16:19], row[23:26] = flags | tx.BACK_PRINT, look.logo, look.back_print
    if look.bag == 1:
        flags, row[28:31] = flags | tx.STRAPS, np.array(look.bag_colour) * 0.8
    row[14] = flags


def compile_look(look: Look) -> Figure:
    """Arrays of one person."""
    materials = np.zeros((pt.MATERIALS, tx.MATERIAL_COLUMNS))
    materials[:, 10] = 1.0
    _dress_top(materials, look)
    _cloth(materials[pt.LEG], look.trousers)
    _cloth(materials[pt.SKIRT], look.trousers)
    bare = tuple(np.array(look.trousers.colours[0]) * 0.4 + 0.01) if look.tights else look.skin
    if look.lower == 0:
        _cloth(materials[pt.SHIN], look.trousers)
    else:
        _plain(materials[pt.SHIN], bare if look.lower > 1 else look.skin)  # type: ignore[arg-type]
        if look.lower == 2:
            _plain(materials[pt.LEG], bare)  # type: ignore[arg-type]
    if look.side_stripe:
        for row in (materials[pt.LEG], materials[pt.SHIN]):
            row[7:10], row[14], row[26] = look.side_stripe, tx.SIDE_STRIPE, 0.35
    if look.long_sleeves:
        materials[pt.FOREARM] = materials[pt.SLEEVE]
    else:
        _plain(materials[pt.FOREARM], look.skin)
    _plain(materials[pt.SHOE], look.shoe)
    _plain(materials[pt.SKIN], look.skin)
    _plain(materials[pt.HAIR], look.hair, 0.18)
    _plain(materials[pt.BAG], look.bag_colour, 0.03)
    _plain(materials[pt.HAT], look.hat_colour, 0.04)
    face = materials[pt.HEAD]
    _plain(face, look.skin)
    face[0], face[4:7], face[7:10] = tx.FACE, (0.02, 0.02, 0.025), look.hair
    face[10], face[11] = (0.85 if look.beard else 0.0), (0.9 if look.glasses else 0.0)
    return Figure(_body(look), materials)
