"""The multimodal model: MONAI encoders, record tokens and a causal LM in one transformer.

Importing this package registers config, model, image processor and processor with the Auto classes
of transformers.
"""

from __future__ import annotations

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
)

from medmm.models.report_model.multimodal.config import MedMMConfig
from medmm.models.report_model.multimodal.modeling import MedMMForConditionalGeneration, MedMMOutput
from medmm.models.report_model.multimodal.processing import MedMMImageProcessor, MedMMProcessor

__all__ = [
    "MedMMConfig",
    "MedMMForConditionalGeneration",
    "MedMMImageProcessor",
    "MedMMOutput",
    "MedMMProcessor",
]

AutoConfig.register("medmm", MedMMConfig, exist_ok=True)
AutoModelForCausalLM.register(MedMMConfig, MedMMForConditionalGeneration, exist_ok=True)
AutoModelForImageTextToText.register(MedMMConfig, MedMMForConditionalGeneration, exist_ok=True)
AutoImageProcessor.register(
    MedMMConfig, slow_image_processor_class=MedMMImageProcessor, exist_ok=True
)
AutoProcessor.register(MedMMConfig, MedMMProcessor, exist_ok=True)
